use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::{Printer, bytes_text};
use crate::blob::{BlobInfo, BlobKey, Unfinished};
use crate::catalog::OpenAttempt;
use crate::component::parse_duration;
use crate::runner::forget_quarantines;

/// Nobody takes a day from an upload to its commit.
const MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Also forget table versions that were replaced more than this many days ago
    #[arg(long, value_name = "DAYS")]
    forget_versions: Option<u32>,
    /// Where blobs lie in a bucket: keep those that are younger, e.g. 36h; 24h unless said
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    min_age: Option<Duration>,
    /// Say what would go, remove nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
struct Freed {
    versions: u64,
    blobs: u64,
    bytes: u64,
    /// Blobs that nothing needs, left because somebody may still be at work with them.
    kept: u64,
    /// Uploads that were begun and never finished.
    uploads: u64,
    quarantines: u64,
}

/// What nothing needs.
#[derive(Debug, Default)]
struct Surplus {
    blobs: Vec<BlobInfo>,
    uploads: Vec<Unfinished>,
    /// Blobs that are left for a later gc.
    kept: u64,
    /// What they are left for.
    kept_for: &'static str,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let mut freed = Freed::default();
    let surplus = if home.blobs.is_shared() {
        // What is forgotten now may still be read on some machine, so its blobs go with the next gc.
        let surplus = aged(home, arguments.min_age.unwrap_or(MIN_AGE)).await?;
        freed.versions = forget_versions(&arguments, home).await?;
        surplus
    } else if arguments.min_age.is_some() {
        return Err(Trouble::usage("--min-age is for blobs in a bucket")
            .hint("here gc sees who is at work, and needs no age"));
    } else {
        freed.versions = forget_versions(&arguments, home).await?;
        proved(home).await?
    };
    freed.kept = surplus.kept;
    for blob in surplus.blobs {
        freed.blobs += 1;
        freed.bytes += blob.bytes;
        if !arguments.dry_run {
            home.blobs.remove(&blob.key).await?;
        }
    }
    for upload in surplus.uploads {
        freed.uploads += 1;
        if !arguments.dry_run {
            home.blobs.abort(&upload).await?;
        }
    }
    // Inputs that were staged to be looked at hold plain secrets: they are kept no longer than what a failure left.
    for folder in [home.quarantine_dir(), home.staged_dir()] {
        let retention = home.settings.quarantine_retention;
        let forgotten = forget_quarantines(&folder, retention, arguments.dry_run).await;
        freed.quarantines += forgotten.map_err(|error| Trouble::platform(&error))?;
    }
    if freed.kept > 0 {
        let kept = freed.kept;
        printer.note(&format!("{kept} blobs were left, as {}: run gc again after it", surplus.kept_for));
    }
    let verb = if arguments.dry_run { "would free" } else { "freed" };
    printer.report(&freed, || {
        format!(
            "{verb} {} in {} blobs{}; {} versions forgotten, {} quarantines removed\n",
            bytes_text(freed.bytes),
            freed.blobs,
            if freed.uploads > 0 {
                format!(" and {} unfinished uploads", freed.uploads)
            } else {
                String::new()
            },
            freed.versions,
            freed.quarantines
        )
    })?;
    Ok(ExitStatus::Success)
}

async fn forget_versions(arguments: &Arguments, home: &Home) -> Result<u64, Trouble> {
    match (arguments.forget_versions, arguments.dry_run) {
        (Some(days), false) => {
            let before = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
            Ok(home.catalog.forget_versions(before).await?)
        }
        (Some(_), true) | (None, _) => Ok(0),
    }
}

/// On one machine everybody who is at work holds a lock, so that what nobody needs can be proved.
async fn proved(home: &Home) -> Result<Surplus, Trouble> {
    // The order is the proof. Who begins after the listing uploads nothing that is listed. Who is at work between the
    // listing and the references may publish an upload, and be gone, before anybody asks again; who is at work after
    // the references may still be reading a version that they name no more. So it is asked on both sides of them.
    // How old a blob is proves nothing: a component gives its files any time it likes.
    let stored = home.blobs.list("").await?;
    let were_busy = home.workers.has_others(&home.folder.worker)?;
    let needed = needed(home).await?;
    let is_busy = were_busy || home.workers.has_others(&home.folder.worker)?;
    let mut surplus = Surplus { kept_for: "another longshore is at work", ..Surplus::default() };
    for blob in stored.into_iter().filter(|blob| !needed.contains(&blob.key)) {
        if is_busy {
            surplus.kept += 1;
        } else {
            surplus.blobs.push(blob);
        }
    }
    Ok(surplus)
}

/// Nobody can see who is at work on other machines, so an upload is left alone while it is young, or its job open: the
/// server gives the times here, no component does. What was forgotten is left while somebody is open who began before.
async fn aged(home: &Home, min_age: Duration) -> Result<Surplus, Trouble> {
    let min_age = SignedDuration::try_from(min_age).unwrap_or(SignedDuration::MAX);
    let before = Timestamp::now().checked_sub(min_age).unwrap_or(Timestamp::MIN);
    let stored = home.blobs.list("").await?;
    // Who is not open any more before the references are read has published by then, or never will.
    let open = home.catalog.open_attempts().await?;
    let needed = needed(home).await?;
    let forgotten = home.catalog.last_forgetting().await?;
    let is_read = open.iter().any(|attempt| forgotten.is_some_and(|forgotten| attempt.started <= forgotten));
    let mut surplus = Surplus { kept_for: "jobs are open that may need them", ..Surplus::default() };
    surplus.uploads = home.blobs.unfinished(before).await?;
    surplus.uploads.retain(|upload| !is_of(&upload.key, &open));
    let old = |blob: &BlobInfo| blob.modified < before && !needed.contains(&blob.key);
    for blob in stored.into_iter().filter(old) {
        if is_read || is_of(&blob.key, &open) {
            surplus.kept += 1;
        } else {
            surplus.blobs.push(blob);
        }
    }
    Ok(surplus)
}

async fn needed(home: &Home) -> Result<HashSet<BlobKey>, Trouble> {
    Ok(home.catalog.referenced_blobs().await?.into_iter().collect())
}

/// Whether a blob was uploaded for a job that is open: `slices/<job>/<attempt>/…` and their like.
fn is_of(key: &BlobKey, open: &[OpenAttempt]) -> bool {
    let job = key.as_str().split('/').nth(1).and_then(|part| part.parse().ok());
    job.is_some_and(|job| open.iter().any(|attempt| attempt.job == job))
}
