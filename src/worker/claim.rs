//! Takes waiting jobs from the catalog, as many as this machine can admit, the most urgent first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::admission::{Admission, Share};
use super::footing::Footing;
use super::lease::STUCK_AFTER;
use super::{PAUSE_AFTER_ERROR, Worker, job, load};
use crate::catalog::{CatalogError, WaitingJob};
use crate::component::Component;
use crate::job::{ComponentId, ContentHash, Failure, JobId};
use crate::telemetry::Loop;

/// Waiting jobs looked at in one round.
const LOOK_AT_MAX: u64 = 64;

/// Specs loaded in one round.
type Known = HashMap<ComponentId, Result<Component, Failure>>;

/// What one round leaves to the next.
#[derive(Debug, Default)]
struct Rounds {
    footing: Footing,
    /// Waiting jobs that are too large for this machine; said once of each.
    too_large: HashSet<JobId>,
    /// What waiting jobs may use, with the spec by which that was found: a job's configuration does not change.
    rooms: HashMap<JobId, (ContentHash, Share)>,
}

/// Claims jobs until it is told to stop.
pub(super) async fn claim_jobs(worker: &Arc<Worker>, stop: &CancellationToken) {
    worker.meters.watch(Loop::Claims, worker.options.poll + STUCK_AFTER);
    let mut rounds = Rounds::default();
    while !stop.is_cancelled() {
        worker.meters.turn(Loop::Claims);
        worker.count_places();
        let pause = match claim_round(worker, &mut rounds, stop).await {
            Ok(()) => worker.options.poll,
            Err(error) => {
                tracing::error!(%error, "waiting jobs cannot be read");
                PAUSE_AFTER_ERROR
            }
        };
        // The end of a job, and a message that came in, ring the bell.
        stop.run_until_cancelled(timeout(pause, worker.desk.bell.notified())).await;
    }
}

impl Worker {
    /// How much of this machine is taken, for whoever watches.
    fn count_places(&self) {
        let (used, memory_bytes) = self.desk.berths.in_use();
        self.meters.slots(u32::try_from(used).unwrap_or(u32::MAX), self.options.slots);
        self.meters.admitted(memory_bytes, self.options.memory_bytes);
    }
}

async fn claim_round(
    worker: &Arc<Worker>,
    rounds: &mut Rounds,
    stop: &CancellationToken,
) -> Result<(), CatalogError> {
    if !worker.desk.berths.has_slot() {
        return Ok(());
    }
    // Those that are left to others do not hide the ones behind them.
    let look_at = LOOK_AT_MAX + rounds.too_large.len() as u64;
    let waiting = worker.runner.catalog.waiting_jobs(look_at).await?;
    rounds.too_large.retain(|id| waiting.iter().any(|waiting| waiting.id == *id));
    rounds.rooms.retain(|id, _room| waiting.iter().any(|waiting| waiting.id == *id));
    if waiting.is_empty() || !rounds.footing.is_firm(worker).await {
        return Ok(());
    }
    let mut known = Known::new();
    for waiting in waiting {
        if stop.is_cancelled() || !worker.desk.berths.has_slot() {
            break;
        }
        let component = component(worker, &waiting.request.component, &mut known).await;
        // A job that cannot be run needs no room to be told so.
        let share = match &component {
            Ok(component) => room(worker, &waiting, component, rounds).await?,
            Err(_) => Share::SLOT,
        };
        match worker.desk.berths.admission(share, waited(&waiting)) {
            Admission::Admitted => claim(worker, waiting, component, share).await?,
            Admission::TooLarge => {
                if rounds.too_large.insert(waiting.id) {
                    tracing::warn!(job.id = %waiting.id, ?share, "the job is too large for this machine and left to others");
                }
            }
            Admission::NoRoom => {}
            Admission::RoomKept => break,
        }
    }
    Ok(())
}

async fn claim(
    worker: &Arc<Worker>,
    waiting: WaitingJob,
    component: Result<Component, Failure>,
    share: Share,
) -> Result<(), CatalogError> {
    let Some(attempt) = worker.runner.catalog.claim(waiting.id, worker.id()).await? else {
        // Another worker was faster.
        return Ok(());
    };
    let berth = worker.desk.berths.take(waiting.id, attempt, share);
    let work =
        job::Work { job: waiting.id, request: waiting.request, attempt, component, adoption: None, berth };
    worker.count_places();
    worker.desk.tasks.spawn(Box::pin(job::work(Arc::clone(worker), work)));
    Ok(())
}

/// What a job may use by its spec and its configuration.
async fn room(
    worker: &Worker,
    waiting: &WaitingJob,
    component: &Component,
    rounds: &mut Rounds,
) -> Result<Share, CatalogError> {
    if let Some((spec, share)) = rounds.rooms.get(&waiting.id)
        && *spec == component.spec_hash
    {
        return Ok(*share);
    }
    let share = load::share(waiting.id, &waiting.request, component, &worker.runner.catalog).await?;
    rounds.rooms.insert(waiting.id, (component.spec_hash.clone(), share));
    Ok(share)
}

async fn component(worker: &Worker, id: &ComponentId, known: &mut Known) -> Result<Component, Failure> {
    if let Some(component) = known.get(id) {
        return component.clone();
    }
    let component = worker.specs.component(id).await;
    known.insert(id.clone(), component.clone());
    component
}

fn waited(waiting: &WaitingJob) -> std::time::Duration {
    Timestamp::now().duration_since(waiting.since).try_into().unwrap_or_default()
}
