use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::{Printer, bytes_text};
use crate::runner::forget_quarantines;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Also forget table versions that were replaced more than this many days ago
    #[arg(long, value_name = "DAYS")]
    forget_versions: Option<u32>,
    /// Say what would go, remove nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
struct Freed {
    versions: u64,
    blobs: u64,
    bytes: u64,
    /// Blobs that nothing needs, left because other processes are at work.
    kept: u64,
    quarantines: u64,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let mut freed = Freed::default();
    if let (Some(days), false) = (arguments.forget_versions, arguments.dry_run) {
        let before = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
        freed.versions = home.catalog.forget_versions(before).await?;
    }
    // The order is the proof. Who begins after the listing uploads nothing that is listed. Who is at work between the
    // listing and the references may publish an upload, and be gone, before anybody asks again; who is at work after
    // the references may still be reading a version that they name no more. So it is asked on both sides of them.
    // How old a blob is proves nothing: a component gives its files any time it likes.
    let stored = home.blobs.list("").await?;
    let were_busy = home.workers.has_others(&home.folder.worker)?;
    let needed: HashSet<_> = home.catalog.referenced_blobs().await?.into_iter().collect();
    let is_busy = were_busy || home.workers.has_others(&home.folder.worker)?;
    for blob in stored.into_iter().filter(|blob| !needed.contains(&blob.key)) {
        if is_busy {
            freed.kept += 1;
            continue;
        }
        freed.blobs += 1;
        freed.bytes += blob.bytes;
        if !arguments.dry_run {
            home.blobs.remove(&blob.key).await?;
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
        printer
            .note(&format!("{kept} blobs were left, as another longshore is at work: run gc again after it"));
    }
    let verb = if arguments.dry_run { "would free" } else { "freed" };
    printer.report(&freed, || {
        format!(
            "{verb} {} in {} blobs; {} versions forgotten, {} quarantines removed\n",
            bytes_text(freed.bytes),
            freed.blobs,
            freed.versions,
            freed.quarantines
        )
    })?;
    Ok(ExitStatus::Success)
}
