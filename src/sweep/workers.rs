//! Who is at work on a project. Each process holds a lock on a file of its own in the project's state folder, which
//! names the folder where it works. The kernel drops the lock with the process, however it died.
//!
//! The locks lie with the state and not with the work, because work folders may be set elsewhere, differently for two
//! processes of one project, and in a place that others use too: nothing there is ours unless a lock file says so.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::SweepError;
use crate::job::{JobId, WorkerId};

/// A lock file that is being made and has not got its name yet.
const NEW: &str = ".new-";

/// What a process does, as its worker id begins: commands come and go, a service takes jobs until it is told to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trade {
    Command,
    Service,
}

impl Trade {
    const ALL: [Self; 2] = [Self::Command, Self::Service];

    fn prefix(self) -> &'static str {
        match self {
            Self::Command => "w-",
            Self::Service => "worker-",
        }
    }
}

/// The processes of one project.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    locks_dir: PathBuf,
    work_dir: PathBuf,
}

/// A process' own folder. While this value lives, nobody else touches it.
#[derive(Debug)]
pub(crate) struct WorkerFolder {
    pub(crate) worker: WorkerId,
    pub(crate) path: PathBuf,
    /// The lock is a copy, and what it names may be at work where it was copied from.
    pub(super) is_copy: bool,
    lock_path: PathBuf,
    _lock: File,
}

/// What taking a lock found.
enum Taken {
    Free(File),
    /// Somebody lives, or it cannot be known.
    Held,
    Gone,
}

impl Workers {
    /// Both folders as absolute paths, made when they are not there. Blocking.
    pub(crate) fn open(state_dir: &Path, work_dir: &Path) -> Result<Self, SweepError> {
        let made = |folder: &Path| {
            fs::create_dir_all(folder)
                .and_then(|()| fs::canonicalize(folder))
                .map_err(failed("make the folder", folder))
        };
        Ok(Self { locks_dir: made(&state_dir.join("workers"))?, work_dir: made(work_dir)? })
    }

    /// Makes a folder of our own. Its lock is there, and held, before it is.
    pub(crate) fn claim(&self, trade: Trade) -> Result<WorkerFolder, SweepError> {
        let worker = WorkerId::parse(format!("{}{}", trade.prefix(), JobId::fresh()))?;
        let path = self.work_dir.join(worker.as_str());
        let lock_path = self.locks_dir.join(worker.as_str());
        let new_path = self.locks_dir.join(format!("{NEW}{worker}"));
        let mut lock = lock_anew(&new_path)?;
        // On a full disk the note is left out: then the work folder is looked for where it usually is.
        let note = format!("{}\n{}\n", lock_path.display(), path.display());
        lock.write_all(note.as_bytes()).ok();
        fs::rename(&new_path, &lock_path).map_err(failed("rename", &new_path))?;
        fs::create_dir(&path).map_err(failed("make the folder", &path))?;
        Ok(WorkerFolder { worker, path, is_copy: false, lock_path, _lock: lock })
    }

    /// The folders of this trade whose process is gone, each locked by us now.
    pub(crate) fn dead(&self, trade: Trade) -> Result<Vec<WorkerFolder>, SweepError> {
        let mut dead = Vec::new();
        let registered = self.registered()?.into_iter();
        for (worker, lock_path) in
            registered.filter(|(worker, _)| worker.as_str().starts_with(trade.prefix()))
        {
            if let Taken::Free(lock) = take(&lock_path)? {
                let (path, is_copy) = self.work_folder(&worker, &lock_path);
                dead.push(WorkerFolder { worker, path, is_copy, lock_path, _lock: lock });
            }
        }
        Ok(dead)
    }

    /// Whether another process than `own` is at work.
    pub(crate) fn has_others(&self, own: &WorkerId) -> Result<bool, SweepError> {
        for (worker, lock_path) in self.registered()? {
            if worker != *own && matches!(take(&lock_path)?, Taken::Held) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a worker lives or its remains are still to be cleaned up.
    pub(crate) fn is_known(&self, worker: &WorkerId) -> bool {
        self.locks_dir.join(worker.as_str()).exists()
    }

    /// Every worker with its lock file. A file that never got its name is removed on the way.
    fn registered(&self) -> Result<Vec<(WorkerId, PathBuf)>, SweepError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.locks_dir).map_err(failed("list", &self.locks_dir))? {
            let entry = entry.map_err(failed("list", &self.locks_dir))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_new = name.starts_with(NEW);
            let Some(worker) = worker_of(name.trim_start_matches(NEW)) else { continue };
            if !is_new {
                found.push((worker, entry.path()));
            } else if let Taken::Free(_lock) = take(&entry.path())? {
                // Somebody else may have been faster.
                fs::remove_file(entry.path()).ok();
            }
        }
        Ok(found)
    }

    /// Where a dead worker worked, and whether its lock is a copy: a project that was copied brought the locks along,
    /// and what they name is the original's, which may be at work. One that was moved left no lock behind.
    fn work_folder(&self, worker: &WorkerId, lock_path: &Path) -> (PathBuf, bool) {
        let note = fs::read_to_string(lock_path).unwrap_or_default();
        let mut lines = note.lines().map(Path::new);
        let (lock, work) = (lines.next(), lines.next());
        let is_copy = lock.is_some_and(|lock| lock != lock_path && lock.exists());
        let is_plain = |work: &&Path| work.file_name().is_some_and(|name| name == worker.as_str());
        let named = work.filter(|work| !is_copy && is_plain(work) && work.exists());
        (named.map_or_else(|| self.work_dir.join(worker.as_str()), Path::to_owned), is_copy)
    }
}

impl WorkerFolder {
    /// Gives the folder back. What is still in it stays, with the lock file, for the next sweep to judge.
    pub(crate) fn release(self) {
        let is_gone = match fs::remove_dir(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_gone {
            // An unlocked file that stays costs the next process one look.
            fs::remove_file(&self.lock_path).ok();
        }
    }
}

/// The id that a file's name says, in exactly the form in which we give them out.
fn worker_of(name: &str) -> Option<WorkerId> {
    Trade::ALL.into_iter().find_map(|trade| {
        let id: JobId = name.strip_prefix(trade.prefix())?.parse().ok()?;
        let worker = WorkerId::parse(name).ok()?;
        (worker.as_str() == format!("{}{id}", trade.prefix())).then_some(worker)
    })
}

/// Makes a file and locks it. A sweep that met it in between has removed it; then it is made again.
fn lock_anew(path: &Path) -> Result<File, SweepError> {
    loop {
        let lock = File::create(path).map_err(failed("make", path))?;
        lock.lock().map_err(failed("lock", path))?;
        if has_name(&lock).map_err(failed("look at", path))? {
            return Ok(lock);
        }
    }
}

fn take(path: &Path) -> Result<Taken, SweepError> {
    let lock = match File::open(path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Taken::Gone),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Taken::Held),
        Err(error) => return Err(failed("open", path)(error)),
    };
    match lock.try_lock() {
        Ok(()) if has_name(&lock).map_err(failed("look at", path))? => Ok(Taken::Free(lock)),
        // Whoever had it before us has cleaned up.
        Ok(()) => Ok(Taken::Gone),
        Err(TryLockError::WouldBlock) => Ok(Taken::Held),
        Err(TryLockError::Error(error)) => Err(failed("lock", path)(error)),
    }
}

fn has_name(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() > 0)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SweepError {
    let path = path.to_owned();
    move |source| SweepError::Io { action, path, source }
}
