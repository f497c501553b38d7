//! Many jobs: takes in messages, claims what this machine can admit, renews its lease, adopts, drains.
//!
//! The catalog says which jobs there are and whose they are; the broker only brings them. Nothing here knows what a job
//! does: that is the runner's story.

mod adopt;
mod admission;
mod claim;
mod footing;
mod health;
mod intake;
mod job;
mod lease;
mod load;
mod options;
mod sealing;
mod stop;
mod sweeping;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

pub(crate) use lease::keep_lease;
pub(crate) use load::Specs;
pub(crate) use options::WorkerOptions;
pub(crate) use stop::StopSignals;

use crate::catalog::CatalogError;
use crate::job::WorkerId;
use crate::queue::{Connection, Publisher, QueueOptions};
use crate::runner::{HaltReason, Runner};
use crate::sweep::{SweepError, Workers};
use crate::telemetry::{Loop, Meters, Traces};
use admission::Berths;

/// Between two tries of a loop whose catalog does not answer.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(2);

/// Why a worker could not begin, or could not leave in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
}

/// Everything that the loops of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) runner: Runner,
    pub(crate) options: WorkerOptions,
    pub(crate) specs: Specs,
    /// The processes of this machine that share our state folder.
    pub(crate) workers: Workers,
    pub(crate) queue: Option<QueueOptions>,
    /// Tells of the ends of jobs, where there is a broker.
    pub(crate) publisher: Option<Publisher>,
    /// For people who look at the list of workers.
    pub(crate) host: String,
    /// As containers are labelled.
    pub(crate) project_id: String,
    pub(crate) broker: watch::Sender<Connection>,
    pub(crate) meters: Meters,
    pub(crate) traces: Traces,
    pub(crate) desk: Desk,
}

/// What a worker has under way.
#[derive(Debug)]
pub(crate) struct Desk {
    berths: Berths,
    /// Rung when a job may have become claimable.
    bell: Notify,
    tasks: TaskTracker,
}

impl Desk {
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        Self { berths: Berths::new(options), bell: Notify::new(), tasks: TaskTracker::new() }
    }
}

/// Works until it is told to leave and its jobs have ended.
pub(crate) async fn run(worker: Arc<Worker>, signals: &StopSignals) -> Result<(), WorkerError> {
    let catalog = &worker.runner.catalog;
    catalog.sign_on(worker.id(), &worker.host).await?;
    adopt::take_over_the_dead(&worker).await?;
    tracing::info!(worker.id = %worker.id(), slots = worker.options.slots, "at work");
    let loops = async {
        tokio::join!(
            intake::take_in(&worker, &signals.drain),
            claim::claim_jobs(&worker, &signals.drain),
            lease::watch_others(&worker, &signals.drain),
            sweeping::sweep_containers(&worker, &signals.drain),
            tell::tell_of_ends(&worker, &signals.drain),
        );
        worker.meters.drain();
        worker.meters.forget(Loop::Claims);
        tracing::info!(
            jobs = worker.desk.berths.count(),
            "no more jobs are taken; waiting for those under way"
        );
        worker.finish(signals).await;
    };
    tokio::select! {
        () = loops => {}
        // The heart beats until the last job has ended.
        never = lease::beat(&worker) => match never {},
        never = health::watch_parts(&worker) => match never {},
        never = health::watch_broker(&worker) => match never {},
    }
    catalog.sign_off(worker.id()).await?;
    tracing::info!(worker.id = %worker.id(), "left");
    Ok(())
}

impl Worker {
    pub(super) fn id(&self) -> &WorkerId {
        &self.runner.options.worker
    }

    /// Waits for the jobs under way; when told to hurry, stops them politely.
    async fn finish(&self, signals: &StopSignals) {
        self.desk.tasks.close();
        let hurry = async {
            signals.hurry.cancelled().await;
            tracing::info!("told to hurry: jobs under way are stopped and wait for another worker");
            self.desk.berths.halt_all(HaltReason::Leaving);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.desk.tasks.wait() => {}
            () = hurry => {}
        }
    }
}
