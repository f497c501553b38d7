//! The lease: a heart that beats in the catalog, and an eye on the hearts of others.
//!
//! A beat is a number that grows. Whoever sees it stand still for the lease time, by its own clock, takes the jobs away;
//! so no two machines' clocks are ever compared.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Worker, job};
use crate::catalog::{Beat, Catalog, CatalogError, HeldAttempt, OpenAttempt};
use crate::job::{JobId, WorkerId};
use crate::runner::Halt;
use crate::sweep::{Sweep, Swept};
use crate::telemetry::Loop;

/// A loop may wait so long for a catalog that is away before it counts as stuck.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(300);

/// Beats for ever, and stops the jobs that are not ours any more or that somebody cancelled.
pub(super) async fn beat(worker: &Worker) -> Infallible {
    let mut missed = 0_u32;
    worker.meters.watch(Loop::Heart, worker.options.lease + STUCK_AFTER);
    loop {
        worker.meters.turn(Loop::Heart);
        // What is under way before the question: a job that is claimed meanwhile is not in the answer.
        let under_way = worker.desk.berths.list();
        let pause = match beat_once(worker).await {
            Ok(held) => {
                missed = 0;
                worker.meters.beat();
                for (id, attempt, halt) in under_way {
                    let found = held.iter().find(|held| held.job == id && held.attempt == attempt);
                    if found.is_none_or(|held| held.is_cancel_asked) {
                        job::halt(&halt, found.is_some());
                    }
                }
                worker.options.beat
            }
            Err(error) => {
                missed += 1;
                tracing::error!(error, missed, "a heartbeat failed");
                // Nobody sees the difference between a slow heart and one that tries again at once.
                worker.options.beat / 4
            }
        };
        sleep(pause).await;
    }
}

/// A call that the network swallowed must not outlast the lease: another one may come through.
async fn beat_once(worker: &Worker) -> Result<Vec<HeldAttempt>, String> {
    match timeout(worker.options.lease / 2, worker.runner.catalog.beat(worker.id())).await {
        Ok(beaten) => beaten.map_err(|error| crate::failure::chain(&error)),
        Err(_elapsed) => Err("the catalog does not answer".to_owned()),
    }
}

/// Keeps the lease of one job that a command runs, where services share its catalog.
pub(crate) async fn keep_lease(
    catalog: &Catalog,
    worker: &WorkerId,
    every: Duration,
    running: JobId,
    halt: &Halt,
) -> Infallible {
    loop {
        match catalog.beat(worker).await {
            Ok(held) => {
                let found = held.iter().find(|held| held.job == running);
                if found.is_none_or(|held| held.is_cancel_asked) {
                    job::halt(halt, found.is_some());
                }
            }
            Err(error) => tracing::error!(%error, "a heartbeat failed"),
        }
        sleep(every).await;
    }
}

/// What was seen of the others, and since when it has not changed.
#[derive(Debug, Default)]
struct Seen {
    beats: HashMap<WorkerId, (u64, Instant)>,
}

/// Takes the jobs of workers whose heart stands still, until told to stop.
pub(super) async fn watch_others(worker: &Worker, stop: &CancellationToken) {
    let mut seen = Seen::default();
    while !stop.is_cancelled() {
        if let Err(error) = look(worker, &mut seen).await {
            tracing::warn!(%error, "the other workers cannot be seen");
        }
        stop.run_until_cancelled(sleep(worker.options.beat)).await;
    }
}

async fn look(worker: &Worker, seen: &mut Seen) -> Result<(), CatalogError> {
    let (catalog, lease) = (&worker.runner.catalog, worker.options.lease);
    let beats = catalog.beats().await?;
    seen.beats.retain(|id, _| beats.iter().any(|beat| beat.worker == *id));
    let mut lost: Vec<OpenAttempt> = Vec::new();
    for beat in beats.iter().filter(|beat| beat.worker != *worker.id()) {
        if seen.is_still(beat, lease)
            && let Some(held) = catalog.lose_worker(beat).await?
        {
            worker.meters.worker_lost();
            tracing::warn!(worker.lost = %beat.worker, jobs = held.len(), "a worker is lost");
            lost.extend(held);
        }
    }
    let sweep = worker.sweep();
    let mut swept = Swept::default();
    for attempt in &lost {
        sweep.end_lost(attempt, &mut swept).await;
    }
    if !swept.jobs.is_empty() {
        worker.desk.bell.notify_one();
    }
    for leftover in &swept.leftovers {
        tracing::warn!(error = %crate::failure::chain(leftover), "a lost attempt is not cleaned up yet");
    }
    Ok(())
}

impl Seen {
    /// Whether this heart has stood still for the lease time.
    fn is_still(&mut self, beat: &Beat, lease: Duration) -> bool {
        let now = Instant::now();
        let (number, since) = self.beats.entry(beat.worker.clone()).or_insert((beat.beat, now));
        if *number != beat.beat {
            (*number, *since) = (beat.beat, now);
        }
        since.elapsed() >= lease
    }
}

impl Worker {
    pub(super) fn sweep(&self) -> Sweep<'_> {
        Sweep {
            catalog: &self.runner.catalog,
            blobs: &self.runner.blobs,
            workers: &self.workers,
            project_id: &self.project_id,
            is_shared: true,
        }
    }
}
