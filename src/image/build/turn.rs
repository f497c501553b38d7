//! One build at a time of one thing: in this process by a shared result, between processes by a lock on a file.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::key::Origin;
use super::{BuildError, Built};

/// Locks of different builds seldom meet, and their files are few.
const SLOTS: u8 = 16;
/// Between two looks at a lock that another process holds.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What came of a build, for all who waited.
pub(super) type Done = Result<Built, Arc<BuildError>>;

/// The turn of everybody who wants the same. Holds what the first one made.
pub(super) type Turn = Arc<AsyncMutex<Option<Done>>>;

#[derive(Debug)]
pub(super) struct Turns {
    locks_dir: PathBuf,
    running: Mutex<HashMap<Origin, Weak<AsyncMutex<Option<Done>>>>>,
}

impl Turns {
    pub(super) fn new(locks_dir: PathBuf) -> Self {
        Self { locks_dir, running: Mutex::default() }
    }

    /// The turn of those who want this now; a new one when nobody does.
    pub(super) fn of(&self, origin: &Origin) -> Turn {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_origin, turn| turn.strong_count() > 0);
        if let Some(turn) = running.get(origin).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Turn::default();
        running.insert(origin.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Waits until no other process builds this; `say` hears that it waits.
    pub(super) async fn lock(
        &self,
        origin: &Origin,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<File, BuildError> {
        let path = self.locks_dir.join(format!("slot-{}", slot(origin)));
        let lock = open(&self.locks_dir, &path)?;
        let mut has_told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(source)) => {
                    return Err(BuildError::Io { action: "lock", path, source });
                }
                Err(TryLockError::WouldBlock) if has_told => {}
                Err(TryLockError::WouldBlock) => {
                    say("waiting for a build of another process".to_owned());
                    has_told = true;
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn slot(origin: &Origin) -> u8 {
    origin.as_str().bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % SLOTS
}

fn open(folder: &Path, path: &Path) -> Result<File, BuildError> {
    fs::create_dir_all(folder)
        .and_then(|()| File::options().create(true).append(true).open(path))
        .map_err(|source| BuildError::Io { action: "open", path: path.to_owned(), source })
}
