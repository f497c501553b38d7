//! What a unit leaves: its container, its log, its data folder. Nothing here may hide how the unit ended.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Job;
use super::record::Record;
use super::unit::UnitRun;
use crate::blob::{BlobError, BlobKey, Delivery, Source};
use crate::component::DocumentFormat;
use crate::job::RunMode;
use crate::mapping::{DataFolder, FolderError, Owner};
use crate::runtime::Container;

/// What the disk must still hold for outputs of a failed run to be kept: the job's end has to be recorded too.
const ROOM_MIN: u64 = 64 << 20;

/// Removes a container. When the engine does not let us, the next sweep does: a file in the worker's folder makes it
/// look.
pub(super) async fn remove_container(job: &Job<'_>, container: Option<Container>) {
    let Some(container) = container else { return };
    if let Err(error) = container.remove().await {
        tracing::warn!(error = %crate::failure::chain(&error), "a container was not removed");
        leave_reminder(job).await;
    }
}

/// Makes the next sweep look at the engine: an empty folder says that nothing is left there.
pub(super) async fn leave_reminder(job: &Job<'_>) {
    let reminder = job.runner.options.work_dir.join("a-container-is-left");
    if let Err(error) = tokio::fs::write(reminder, "").await {
        tracing::warn!(%error, "nobody will be reminded of it");
    }
}

/// Where the complete log of a job grows.
pub(super) fn log_path(job: &Job<'_>) -> PathBuf {
    job.runner.options.work_dir.join(format!("{}.log.zst", job.order.job))
}

/// Stores the complete log as it is so far; the log of a later row is stored over it.
pub(super) async fn store_log(job: &Job<'_>, record: &mut Record<'_>, units_done: usize) {
    // Nobody was listened to: the unit ended before its container began.
    if !tokio::fs::try_exists(log_path(job)).await.unwrap_or(true) {
        return;
    }
    let stored = async {
        let key = log_key(job, units_done)?;
        match job.runner.blobs.put_file(&key, &log_path(job), Source::Copy).await {
            // The worker that began this attempt had stored it before it died.
            Ok(_) | Err(BlobError::AlreadyStored { .. }) => Ok::<_, BlobError>(key),
            Err(error) => Err(error),
        }
    };
    match stored.await {
        Ok(key) => {
            // The end records it too, so that a catalog which does not answer now costs nothing but a moment's wait.
            if let Err(error) = job.runner.catalog.keep_log(job.order.job, job.attempt, &key).await {
                tracing::warn!(error = %crate::failure::chain(&error), "where the log lies is not recorded yet");
            }
            record.log = Some(key);
        }
        Err(error) => {
            tracing::warn!(error = %crate::failure::chain(&error), "the complete log was not stored");
        }
    }
}

fn log_key(job: &Job<'_>, units_done: usize) -> Result<BlobKey, BlobError> {
    BlobKey::parse(format!("logs/{}/{}-{units_done}.log.zst", job.order.job, job.attempt))
}

/// Fetches what earlier units of an adopted attempt said; without it the log begins with the adopted one.
pub(super) async fn fetch_log(job: &Job<'_>, unit: usize) {
    let Some(before) = unit.checked_sub(1) else { return };
    let fetched = async {
        let key = log_key(job, before)?;
        job.runner.blobs.deliver(&key, &log_path(job), Delivery::Copy).await
    };
    if let Err(error) = fetched.await {
        tracing::warn!(error = %crate::failure::chain(&error), "the log of earlier rows is not there");
    }
}

/// The log's own file is not needed once the job has ended.
pub(super) async fn remove_log(job: &Job<'_>) {
    match tokio::fs::remove_file(log_path(job)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(error = %error, "the log's file was not removed");
        }
        Ok(()) | Err(_) => {}
    }
}

/// Keeps what somebody will want to look at: the staged inputs where only they were asked for, the outputs of a run
/// that failed. Returns what to say about it.
pub(super) async fn keep(unit: &UnitRun<'_>, folder: &DataFolder, is_success: bool) -> Option<String> {
    let options = &unit.job.runner.options;
    let job = unit.job.order.job.to_string();
    if unit.job.order.request.mode == RunMode::Input {
        let place = options.staged_dir.join(job);
        return Some(match move_folder(&folder.data(), &place).await {
            Ok(()) => format!("the staged inputs are in {}", place.display()),
            Err(error) => format!("the staged inputs could not be kept: {error}"),
        });
    }
    if is_success || is_empty(&folder.data().join("out")).await {
        return None;
    }
    if folder.room().await.is_some_and(|room| room < ROOM_MIN) {
        return Some("the disk is nearly full, so what the component left was not kept".to_owned());
    }
    // Only what the component wrote: the configuration beside it holds secrets in plain text.
    let place = options.quarantine_dir.join(job).join(unit.unit.row_index.to_string());
    match move_folder(&folder.data().join("out"), &place).await {
        Ok(()) => None,
        Err(error) => Some(format!("what the component left could not be kept: {error}")),
    }
}

async fn move_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        // Ours alone, as the data folder was: there may be secrets in what was staged, and in what a component wrote.
        tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).await?;
    }
    tokio::fs::rename(from, to).await
}

/// Whether a component left nothing but the folders we had made, or no folder at all.
async fn is_empty(out: &Path) -> bool {
    let out = out.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let is_bare =
            |folder: &Path| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        // A link that was put in its place would be kept as one, and lead whoever looks at it elsewhere.
        if !std::fs::symlink_metadata(&out).is_ok_and(|metadata| metadata.is_dir()) {
            return true;
        }
        let entries = std::fs::read_dir(&out).map_or(0, |entries| entries.flatten().count());
        entries <= 2 && is_bare(&out.join("tables")) && is_bare(&out.join("files"))
    });
    looked.await.unwrap_or(false)
}

/// Removes quarantines older than `retention`; returns how many were (or would be) removed.
pub(crate) async fn forget_quarantines(
    quarantine_dir: &Path,
    retention: Duration,
    is_dry_run: bool,
) -> Result<u64, FolderError> {
    let failed = |source| FolderError { action: "list", path: quarantine_dir.to_owned(), source };
    let mut entries = match tokio::fs::read_dir(quarantine_dir).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut forgotten = 0;
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let modified = entry.metadata().await.and_then(|metadata| metadata.modified()).map_err(failed)?;
        let age = SystemTime::now().duration_since(modified).unwrap_or_default();
        if age < retention {
            continue;
        }
        forgotten += 1;
        if !is_dry_run {
            DataFolder::existing(entry.path(), Owner::Image, DocumentFormat::Json).remove().await?;
        }
    }
    Ok(forgotten)
}
