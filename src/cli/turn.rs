//! Runs of one configuration take turns: each begins with the state that the one before it left, so that no update of
//! the state is lost and nothing is read twice.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::exit::Trouble;
use super::home::Home;
use super::print::Printer;
use crate::catalog::Begun;
use crate::job::{AttemptNumber, JobRequest, RunMode};
use crate::runner::{self, Order, Runner};

/// Held while the run goes on; the kernel gives it back however the process ends.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
}

/// Between two looks whether a service has ended its job of the configuration.
const PAUSE: Duration = Duration::from_millis(500);

/// Records the job and takes its attempt, once no other job of the configuration is open in the catalog.
pub(super) async fn begin(
    runner: &Runner,
    order: &Order,
    home: &Home,
    printer: Printer,
) -> Result<AttemptNumber, Trouble> {
    let mut is_told = false;
    loop {
        match runner::begin(runner, order).await.map_err(|error| Trouble::platform(&error))? {
            Begun::Attempt(attempt) => return Ok(attempt),
            Begun::Busy(job) => {
                if !is_told {
                    printer.note(&format!(
                        "job {job} of the same configuration is not done: waiting for its end"
                    ));
                    is_told = true;
                }
                // Its runner may have died since we came.
                home.sweep(printer).await?;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits until no other run of the configuration is under way. One without an id has no state, and only a true run
/// stores it.
pub(super) async fn wait(
    request: &JobRequest,
    home: &Home,
    printer: Printer,
) -> Result<Option<Turn>, Trouble> {
    let Some(configuration) = request.configuration.as_ref().filter(|_| request.mode == RunMode::Run) else {
        return Ok(None);
    };
    // Together the two ids may be longer than a file name.
    let digest = Sha256::digest(format!("{}/{configuration}", request.component));
    let name = digest.iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let lock =
        open(&home.settings.state_dir.join("turns"), &name).map_err(|error| Trouble::platform(&error))?;
    match lock.try_lock() {
        Ok(()) => return Ok(Some(Turn { _lock: lock })),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(Trouble::platform(&error)),
    }
    printer.note(&format!("configuration {configuration} is being run already: waiting for its end"));
    let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    let lock =
        locked.map_err(|error| Trouble::platform(&error))?.map_err(|error| Trouble::platform(&error))?;
    Ok(Some(Turn { _lock: lock }))
}

fn open(folder: &Path, name: &str) -> io::Result<File> {
    std::fs::create_dir_all(folder)?;
    File::options().create(true).append(true).open(folder.join(name))
}
