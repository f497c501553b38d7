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
    quarantines: u64,
}

/// Blobs younger than this may belong to a commit that is being prepared.
const BLOB_AGE_MIN: SignedDuration = SignedDuration::from_hours(1);

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let mut freed = Freed::default();
    if let (Some(days), false) = (arguments.forget_versions, arguments.dry_run) {
        let before = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
        freed.versions = home.catalog.forget_versions(before).await?;
    }
    // Listed before the references are read: what is published in between is then referenced or not listed.
    let stored = home.blobs.list("").await?;
    let needed: HashSet<_> = home.catalog.referenced_blobs().await?.into_iter().collect();
    let running: Vec<String> =
        home.catalog.open_attempts().await?.iter().map(|attempt| attempt.job.to_string()).collect();
    let young = Timestamp::now() - BLOB_AGE_MIN;
    for blob in stored {
        let is_running = running.iter().any(|job| blob.key.as_str().split('/').any(|part| part == job));
        if needed.contains(&blob.key) || is_running || blob.modified > young {
            continue;
        }
        freed.blobs += 1;
        freed.bytes += blob.bytes;
        if !arguments.dry_run {
            home.blobs.remove(&blob.key).await?;
        }
    }
    freed.quarantines =
        forget_quarantines(&home.quarantine_dir(), home.settings.quarantine_retention, arguments.dry_run)
            .await
            .map_err(|error| Trouble::platform(&error))?;
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
