//! What a dead runner left behind: open attempts, containers, folders, uploads. Found and cleaned by the next process.
//!
//! A worker whose lock can be taken is dead; whoever takes it cleans up, alone.

mod workers;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::blob::{BlobError, BlobStore};
use crate::catalog::{Catalog, CatalogError, OpenAttempt, PutBack, Tally};
use crate::component::DocumentFormat;
use crate::egress;
use crate::engine::{Engine, EngineError};
use crate::job::{Failure, FailureCode, IdError, JobId};
use crate::mapping::{self, DataFolder, DiscardError, FolderError, Owner};
use crate::runtime::{self, RuntimeError};
pub(crate) use workers::{Trade, WorkerFolder, Workers};

const WORKER_LABEL: &str = "longshore.worker";
const PROJECT_LABEL: &str = "longshore.project";

/// How long an engine may keep a command waiting that wants something else of us.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    #[error("cannot {action} {path}", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// What a sweep could not clean up. It is there for the next one, and nobody's command fails for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Leftover {
    #[error("cannot look for containers")]
    Engine(#[from] EngineError),
    #[error("the engine does not answer within {} seconds", ENGINE_LIMIT.as_secs())]
    EngineSilent,
    #[error(transparent)]
    Container(#[from] RuntimeError),
    #[error(transparent)]
    Job(#[from] CatalogError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Upload(#[from] DiscardError),
    #[error(transparent)]
    Scratch(#[from] BlobError),
}

/// What a sweep did.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Jobs that were ended as `runner_lost`.
    pub(crate) jobs: Vec<JobId>,
    pub(crate) containers: usize,
    pub(crate) folders: usize,
    pub(crate) leftovers: Vec<Leftover>,
}

/// A project as a sweep sees it.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) blobs: &'a BlobStore,
    pub(crate) workers: &'a Workers,
    /// As containers are labelled.
    pub(crate) project_id: &'a str,
    /// Processes on other machines share the catalog: a worker whose lock is not here may live there.
    pub(crate) is_shared: bool,
}

impl Sweep<'_> {
    /// Cleans up after every command that died; what a service left is for the next service to adopt. The engine is asked only where a container may be left.
    pub(crate) async fn clean(
        &self,
        connect: impl AsyncFn() -> Result<Engine, EngineError>,
    ) -> Result<Swept, SweepError> {
        let mut swept = Swept::default();
        let dead = self.workers.dead(Trade::Command)?;
        for attempt in self.catalog.open_attempts().await? {
            if (!self.is_shared && !self.workers.is_known(&attempt.worker))
                || dead.iter().any(|dead| dead.worker == attempt.worker)
            {
                self.end_lost(&attempt, &mut swept).await;
            }
        }
        // Who left nothing in its folder has removed its container too.
        let (busy, idle): (Vec<_>, Vec<_>) = dead.into_iter().partition(|folder| has_entries(&folder.path));
        for folder in idle {
            self.forget(folder, &mut swept).await;
        }
        if busy.is_empty() {
            return Ok(swept);
        }
        match tokio::time::timeout(ENGINE_LIMIT, self.containers(&busy, connect, &mut swept)).await {
            Ok(Ok(())) => {
                for folder in busy {
                    self.remove(folder, &mut swept).await;
                }
            }
            Ok(Err(leftover)) => swept.leftovers.push(leftover),
            Err(_elapsed) => swept.leftovers.push(Leftover::EngineSilent),
        }
        Ok(swept)
    }

    /// Removes the containers of dead workers, and those of this project whose worker nobody knows any more: an
    /// engine may have made one after its runner had died.
    async fn containers(
        &self,
        dead: &[WorkerFolder],
        connect: impl AsyncFn() -> Result<Engine, EngineError>,
        swept: &mut Swept,
    ) -> Result<(), Leftover> {
        let engine = connect().await?;
        let mut doomed = HashSet::new();
        for folder in dead.iter().filter(|folder| !folder.is_copy) {
            let found = runtime::find_containers(&engine, WORKER_LABEL, Some(folder.worker.as_str())).await?;
            doomed.extend(found.into_iter().map(|found| found.id));
        }
        if !self.is_shared {
            let found = runtime::find_containers(&engine, PROJECT_LABEL, Some(self.project_id)).await?;
            let ownerless = found.into_iter().filter(|found| self.has_no_owner(found.label("worker")));
            doomed.extend(ownerless.map(|found| found.id));
        }
        self.remove_containers(&engine, doomed, swept).await?;
        runtime::remove_spent_cgroups(&engine).await?;
        self.networks(&engine, dead).await
    }

    /// Removes the networks that were made for those containers, and the rules of bridges that are gone.
    async fn networks(&self, engine: &Engine, dead: &[WorkerFolder]) -> Result<(), Leftover> {
        let mut doomed = Vec::new();
        for folder in dead.iter().filter(|folder| !folder.is_copy) {
            doomed.extend(egress::find_networks(engine, WORKER_LABEL, Some(folder.worker.as_str())).await?);
        }
        if !self.is_shared {
            let found = egress::find_networks(engine, PROJECT_LABEL, Some(self.project_id)).await?;
            doomed.extend(found.into_iter().filter(|found| self.has_no_owner(found.label("worker"))));
        }
        for network in doomed {
            egress::remove_network(engine, &network).await?;
        }
        egress::forget_rules().await;
        Ok(())
    }

    /// Whether nobody lives, or is still to be cleaned up after, who made this.
    fn has_no_owner(&self, worker: Option<&str>) -> bool {
        let worker = worker.and_then(|worker| worker.parse().ok());
        worker.is_some_and(|worker| !self.workers.is_known(&worker))
    }

    async fn remove_containers(
        &self,
        engine: &Engine,
        doomed: HashSet<String>,
        swept: &mut Swept,
    ) -> Result<(), Leftover> {
        for id in doomed {
            runtime::remove_by_id(engine, &id).await?;
            swept.containers += 1;
        }
        Ok(())
    }

    /// Removes what a dead worker worked on, after its containers.
    pub(crate) async fn remove(&self, folder: WorkerFolder, swept: &mut Swept) {
        let remains = DataFolder::existing(folder.path.clone(), Owner::Image, DocumentFormat::Json);
        match remains.remove().await {
            Ok(()) => {
                swept.folders += 1;
                self.forget(folder, swept).await;
            }
            Err(error) => swept.leftovers.push(error.into()),
        }
    }

    async fn forget(&self, folder: WorkerFolder, swept: &mut Swept) {
        match self.blobs.clear_scratch(folder.worker.as_str()).await {
            Ok(()) => folder.release(),
            Err(error) => swept.leftovers.push(error.into()),
        }
    }

    /// Puts a job back whose runner is gone, or ends it where it has had all its attempts, and removes what was
    /// uploaded. Published is it never: the commit ends the job.
    pub(crate) async fn end_lost(&self, attempt: &OpenAttempt, swept: &mut Swept) {
        let failure = lost(attempt);
        match self
            .catalog
            .put_back(attempt.job, attempt.attempt, &failure, Duration::ZERO, Tally::Counted)
            .await
        {
            Ok(PutBack::Waiting | PutBack::Ended) => {
                swept.jobs.push(attempt.job);
                let discarded =
                    mapping::discard(attempt.job, attempt.attempt, self.blobs, self.catalog).await;
                swept.leftovers.extend(discarded.err().map(Leftover::from));
            }
            Ok(PutBack::NotCurrent) => {}
            // On a full disk nothing can be written, and still somebody must be able to look and to make room.
            Err(error) => swept.leftovers.push(error.into()),
        }
    }
}

/// Whether there is anything in a folder; where that cannot be seen, there is.
fn has_entries(folder: &std::path::Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn lost(attempt: &OpenAttempt) -> Failure {
    Failure {
        code: FailureCode::RunnerLost,
        message: format!(
            "the runner stopped without a word in phase {}; nothing that it had not committed is published; run the job again",
            attempt.phase.as_str()
        ),
        detail: format!("worker {} holds no lock any more, attempt {}", attempt.worker, attempt.attempt),
    }
}
