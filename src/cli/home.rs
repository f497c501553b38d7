//! The open project: settings, catalog, blob store, and our own worker folder.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::exit::Trouble;
use super::print::Printer;
use crate::blob::BlobStore;
use crate::catalog::Catalog;
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::events::SpeechLimits;
use crate::image::{BuildOptions, KeeperOptions};
use crate::job::{JobId, Phase};
use crate::queue::Publisher;
use crate::result::recorded;
use crate::runner::{RetryDelay, Runner, RunnerOptions};
use crate::runtime::DiskGuard;
use crate::settings::{ColumnNames, Settings};
use crate::sweep::{Sweep, SweepError, Trade, WorkerFolder, Workers};

/// Nobody on the host has these ids by default, so that a container shares them with no one.
const UNPRIVILEGED: (u32, u32) = (10_001, 10_001);

#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) settings: Settings,
    pub(crate) catalog: Catalog,
    pub(crate) blobs: BlobStore,
    pub(crate) workers: Workers,
    pub(crate) folder: WorkerFolder,
    /// Names this project in container labels and in `KBC_PROJECTID`.
    pub(crate) project_id: String,
}

impl Home {
    /// Opens the project, making it on first use, and cleans up after processes that died.
    pub(crate) async fn open(settings: Settings, trade: Trade, printer: Printer) -> Result<Self, Trouble> {
        let state_dir = &settings.state_dir;
        let made = make_state_dir(state_dir);
        let state_dir = made.map_err(|error| {
            Trouble::platform_told(format!("cannot make the folder {}: {error}", state_dir.display())).hint(
                "longshore keeps its data there: make it, or name another by state_dir in longshore.yaml",
            )
        })?;
        let catalog = match &settings.catalog {
            Some(options) => Catalog::open_postgres(options).await?,
            None => Catalog::open_sqlite(&state_dir.join("catalog.sqlite")).await?,
        };
        let workers = Workers::open(&state_dir, &settings.work_dir)?;
        let folder = workers.claim(trade)?;
        let owner = folder.worker.as_str();
        let blobs = match &settings.blobs {
            Some(options) => BlobStore::s3(options, &settings.work_dir, owner).await?,
            None => BlobStore::directory(&state_dir.join("blobs"), owner, settings.sync)?,
        };
        let project_id = project_id(&settings, &state_dir);
        let home = Self { settings, catalog, blobs, workers, folder, project_id };
        match home.sweep(printer).await {
            Ok(()) => Ok(home),
            Err(trouble) => {
                home.close().await;
                Err(trouble)
            }
        }
    }

    /// Cleans up after processes that died, and says so.
    pub(crate) async fn sweep(&self, printer: Printer) -> Result<(), Trouble> {
        let sweep = Sweep {
            catalog: &self.catalog,
            blobs: &self.blobs,
            workers: &self.workers,
            project_id: &self.project_id,
            is_shared: self.is_shared(),
        };
        let swept = sweep.clean(async || self.engine().await).await?;
        for job in &swept.jobs {
            printer.note(&format!(
                "job {job} had lost its runner: ended with an error, what it had not committed is not published"
            ));
        }
        if swept.containers + swept.folders > 0 {
            printer.note(&format!(
                "cleaned up after a runner that died: {} containers, {} folders",
                swept.containers, swept.folders
            ));
        }
        for leftover in &swept.leftovers {
            let why = super::exit::chain(leftover);
            printer.note(&format!("a runner that died could not be cleaned up after yet: {why}"));
        }
        Ok(())
    }

    /// Other machines may work on the same catalog.
    pub(crate) fn is_shared(&self) -> bool {
        self.settings.catalog.is_some()
    }

    pub(crate) async fn engine(&self) -> Result<Engine, EngineError> {
        Engine::connect(EngineOptions { host: self.settings.engine_host.clone() }).await
    }

    /// A runner of this process' own.
    pub(crate) fn runner(&self, hold_at: Option<Phase>) -> Runner {
        let settings = &self.settings;
        let speech = SpeechLimits {
            events_max: settings.events_max,
            severe_events_max: settings.events_max,
            ..SpeechLimits::default()
        };
        Runner {
            catalog: self.catalog.acting_as(self.folder.worker.clone()),
            blobs: self.blobs.clone(),
            engine_options: EngineOptions { host: settings.engine_host.clone() },
            engine: OnceCell::new(),
            keeper_options: self.keeper_options(),
            keeper: OnceCell::new(),
            options: RunnerOptions {
                worker: self.folder.worker.clone(),
                work_dir: self.folder.path.clone(),
                quarantine_dir: self.quarantine_dir(),
                staged_dir: self.staged_dir(),
                project_id: self.project_id.clone(),
                runner_user: runner_user(),
                sanitize_column_names: settings.column_names == ColumnNames::Sanitize,
                grace: settings.stop_grace,
                engine_patience: settings.engine_patience,
                log_bytes_max: settings.log_bytes_max,
                outputs: settings.outputs,
                disk_guard: DiskGuard::new(settings.disk_reserve),
                speech,
                egress: settings.network.clone(),
                retry_delay: RetryDelay {
                    first: settings.worker.retry_delay,
                    longest: settings.worker.retry_delay_max,
                },
                hold_at,
            },
            examiner: None,
            secrets: settings.secret_rules(),
        }
    }

    /// How images are fetched in this project.
    pub(crate) fn keeper_options(&self) -> KeeperOptions {
        let builds = BuildOptions {
            work_dir: self.folder.path.clone(),
            locks_dir: self.settings.state_dir.join("builds"),
            git: self.settings.git.clone(),
        };
        KeeperOptions::new(self.settings.registries.clone(), builds)
    }

    /// Where `--mode input` leaves what it staged.
    pub(crate) fn staged_dir(&self) -> PathBuf {
        self.settings.state_dir.join("staged")
    }

    pub(crate) fn quarantine_dir(&self) -> PathBuf {
        self.settings.state_dir.join("quarantine")
    }

    /// Attempts of a job that is accepted without a worker's doing.
    pub(crate) fn attempts_max(&self) -> u32 {
        self.settings.worker.attempts_max
    }

    /// Whether jobs come by a queue.
    pub(crate) fn has_queue(&self) -> bool {
        self.settings.queue.is_some()
    }

    /// The way into the queue, where settings name one.
    pub(crate) fn publisher(&self) -> Option<Publisher> {
        self.settings.queue.clone().map(Publisher::new)
    }

    /// A job's result document, as far as the job has come.
    pub(crate) async fn result_document(&self, job: JobId) -> Result<serde_json::Value, Trouble> {
        let Some(record) = self.catalog.job(job).await? else {
            return Err(
                Trouble::user(format!("job {job} does not exist")).hint("longshore job ls lists the jobs")
            );
        };
        recorded(&self.catalog, record).await.map_err(|error| Trouble::platform(&error))
    }

    pub(crate) async fn close(self) {
        // What cannot be removed now stays with the lock, for the next command.
        if self.blobs.clear_scratch(self.folder.worker.as_str()).await.is_ok() {
            self.folder.release();
        }
    }
}

impl From<SweepError> for Trouble {
    fn from(error: SweepError) -> Self {
        Self::platform(&error)
    }
}

/// An unprivileged user when we are root: what runs in a container never has our rights.
fn runner_user() -> (u32, u32) {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if uid == 0 { UNPRIVILEGED } else { (uid, gid) }
}

/// The folder with a `.gitignore` in it, so that nobody commits tables by accident.
pub(super) fn make_state_dir(state_dir: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(state_dir)?;
    let ignore = state_dir.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(ignore, "*\n")?;
    }
    std::fs::canonicalize(state_dir)
}

/// Stable for a project as long as its catalog stays where it is.
fn project_id(settings: &Settings, state_dir: &Path) -> String {
    let digest = match &settings.catalog {
        // Who connects, and with what password, is not part of the place.
        Some(options) => {
            let url = options.url.reveal();
            let place = url.rsplit_once('@').map_or(url, |(_who, place)| place);
            Sha256::digest(place.split('?').next().unwrap_or(place))
        }
        None => Sha256::digest(state_dir.as_os_str().as_encoded_bytes()),
    };
    digest.iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
