//! What a dead runner left behind: open attempts, containers, folders, uploads. Found and cleaned by the next process.
//!
//! Each process holds a lock on a file in its own folder below `work/`. The kernel drops the lock with the process,
//! however it died, so a folder whose lock can be taken belongs to nobody. Whoever takes it cleans up, alone.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::blob::BlobStore;
use crate::catalog::{Catalog, CatalogError, OpenAttempt};
use crate::component::DocumentFormat;
use crate::engine::{Engine, EngineError};
use crate::job::{Failure, FailureCode, IdError, JobEnd, JobId, JobStatus, WorkerId};
use crate::mapping::{self, DataFolder, DiscardError, FolderError, Owner};
use crate::runtime::{self, RuntimeError};

/// The label by which a worker's containers are found.
pub(crate) const WORKER_LABEL: &str = "longshore.worker";

const LOCK_FILE: &str = "lock";

#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Discard(#[from] DiscardError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// A live process's own folder. While this value lives, nobody sweeps it.
#[derive(Debug)]
pub(crate) struct WorkerFolder {
    pub(crate) worker: WorkerId,
    pub(crate) path: PathBuf,
    _lock: File,
}

impl WorkerFolder {
    /// Makes a folder of our own below `work_dir`. It appears under its name only once it is locked.
    pub(crate) fn claim(work_dir: &Path) -> Result<Self, SweepError> {
        let worker = WorkerId::parse(format!("w-{}", JobId::fresh()))?;
        let unlocked = work_dir.join(format!(".new-{worker}"));
        let path = work_dir.join(worker.as_str());
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| SweepError::Io { action, path, source }
        };
        fs::create_dir_all(&unlocked).map_err(failed("create", &unlocked))?;
        let lock_path = unlocked.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
        lock.lock().map_err(failed("lock", &lock_path))?;
        fs::rename(&unlocked, &path).map_err(failed("rename", &unlocked))?;
        Ok(Self { worker, path, _lock: lock })
    }

    /// Gives the folder back. What is still in it is a dead attempt's and stays for the next sweep to judge.
    pub(crate) fn release(self) {
        // Both may fail only when something was left in the folder, which the next sweep cleans.
        if fs::remove_file(self.path.join(LOCK_FILE)).is_ok() {
            drop(fs::remove_dir(&self.path));
        }
    }
}

/// What a sweep did.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Jobs that were ended as `runner_lost`.
    pub(crate) jobs: Vec<JobId>,
    pub(crate) containers: usize,
    pub(crate) folders: usize,
    /// Containers could not be looked for; their worker's folder stays until they could.
    pub(crate) engine_error: Option<EngineError>,
}

/// Cleans after every dead worker below `work_dir`. The engine is asked only when there is one.
pub(crate) async fn sweep(
    catalog: &Catalog,
    blobs: &BlobStore,
    work_dir: &Path,
    connect: impl AsyncFn() -> Result<Engine, EngineError>,
) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    let dead = dead_workers(work_dir)?;
    for attempt in catalog.open_attempts().await? {
        if !work_dir.join(attempt.worker.as_str()).exists()
            || dead.iter().any(|dead| dead.worker == attempt.worker)
        {
            end_lost(catalog, blobs, &attempt).await?;
            swept.jobs.push(attempt.job);
        }
    }
    if dead.is_empty() {
        return Ok(swept);
    }
    let engine = match connect().await {
        Ok(engine) => engine,
        Err(error) => {
            swept.engine_error = Some(error);
            return Ok(swept);
        }
    };
    for folder in dead {
        for found in runtime::find_containers(&engine, WORKER_LABEL, Some(folder.worker.as_str())).await? {
            runtime::remove_by_id(&engine, &found.id).await?;
            swept.containers += 1;
        }
        DataFolder::existing(folder.path.clone(), Owner::Image, DocumentFormat::Json).remove().await?;
        swept.folders += 1;
    }
    Ok(swept)
}

/// The folders whose process is gone, each locked by us now.
fn dead_workers(work_dir: &Path) -> Result<Vec<WorkerFolder>, SweepError> {
    let entries = match fs::read_dir(work_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(SweepError::Io { action: "list", path: work_dir.to_owned(), source });
        }
    };
    let mut dead = Vec::new();
    for entry in entries {
        let entry =
            entry.map_err(|source| SweepError::Io { action: "list", path: work_dir.to_owned(), source })?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `.new-…` is a folder that is being claimed at this moment.
        let Ok(worker) = WorkerId::parse(name) else {
            continue;
        };
        if worker.as_str().starts_with('.') {
            continue;
        }
        let lock_path = entry.path().join(LOCK_FILE);
        let lock = match File::options().create(true).write(true).truncate(false).open(&lock_path) {
            Ok(lock) => lock,
            // Its owner is just giving it back.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => {
                return Err(SweepError::Io { action: "open", path: lock_path, source });
            }
        };
        match lock.try_lock() {
            Ok(()) => dead.push(WorkerFolder { worker, path: entry.path(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => {
                return Err(SweepError::Io { action: "lock", path: lock_path, source });
            }
        }
    }
    Ok(dead)
}

/// Ends a job whose runner is gone and removes what it uploaded. Published is it never: the commit ends the job.
async fn end_lost(catalog: &Catalog, blobs: &BlobStore, attempt: &OpenAttempt) -> Result<(), SweepError> {
    let failure = lost(attempt);
    let end = JobEnd { status: JobStatus::Error, code: Some(failure.code), message: failure.message };
    if catalog.end_job(attempt.job, attempt.attempt, &end, None).await? {
        mapping::discard(attempt.job, attempt.attempt, blobs, catalog).await?;
    }
    Ok(())
}

fn lost(attempt: &OpenAttempt) -> Failure {
    Failure {
        code: FailureCode::RunnerLost,
        message: format!(
            "the runner stopped without a word in phase {}; nothing was published; run the job again",
            attempt.phase.as_str()
        ),
        detail: format!("worker {} holds no lock any more, attempt {}", attempt.worker, attempt.attempt),
    }
}
