//! What services that died on this machine left: a container that runs or has run is adopted, everything else is
//! removed and its job waits for its next attempt at once, since a lock that the kernel dropped proves the death.

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::admission::Share;
use super::{Worker, WorkerError, job, load};
use crate::catalog::OpenAttempt;
use crate::egress;
use crate::engine::Engine;
use crate::failure;
use crate::runner::Adoption;
use crate::runtime::{self, RuntimeError};
use crate::sweep::{Swept, Trade, WorkerFolder};

/// A container with what its labels say.
struct Left {
    id: String,
    job: String,
    attempt: String,
}

/// Takes over from every service of this machine that died.
pub(super) async fn take_over_the_dead(worker: &Arc<Worker>) -> Result<(), WorkerError> {
    for folder in worker.workers.dead(Trade::Service)? {
        take_over(worker, folder).await?;
    }
    Ok(())
}

async fn take_over(worker: &Arc<Worker>, folder: WorkerFolder) -> Result<(), WorkerError> {
    let catalog = &worker.runner.catalog;
    let open = catalog.open_attempts().await?;
    let attempts: Vec<_> = open.into_iter().filter(|open| open.worker == folder.worker).collect();
    let left = match containers(worker, &folder).await {
        Ok(left) => left,
        Err(error) => {
            // The folder stays for the next start; the jobs need not wait for it.
            tracing::warn!(%error, "the containers of a dead worker cannot be seen");
            Vec::new()
        }
    };
    let (mut adopted, mut kept, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
    let mut swept = Swept::default();
    for attempt in &attempts {
        let container = left
            .iter()
            .find(|left| left.job == attempt.job.to_string() && left.attempt == attempt.attempt.to_string());
        let task = match container {
            Some(container) => adopt(worker, attempt, container, &folder.path).await?,
            None => None,
        };
        match (task, container) {
            (Some(task), Some(container)) => {
                adopted.push(container.id.clone());
                kept.push((container.job.clone(), container.attempt.clone()));
                tasks.push(task);
            }
            (_, _) => worker.sweep().end_lost(attempt, &mut swept).await,
        }
    }
    tracing::info!(
        worker.dead = %folder.worker, adopted = adopted.len(), put_back = swept.jobs.len(), "took over from a worker that died"
    );
    for container in left.iter().filter(|left| !adopted.contains(&left.id)) {
        if let Err(error) = remove(worker, &container.id).await {
            tracing::warn!(%error, "a container of a dead worker stays for now");
        }
    }
    if let Err(error) = remove_networks(worker, &folder, &kept).await {
        tracing::warn!(%error, "networks of a dead worker stay for now");
    }
    catalog.sign_off(&folder.worker).await?;
    clear_when_done(worker, tasks, folder);
    Ok(())
}

/// Makes the attempt ours and goes on with its container, where that is possible.
async fn adopt(
    worker: &Arc<Worker>,
    open: &OpenAttempt,
    container: &Left,
    dead: &Path,
) -> Result<Option<JoinHandle<()>>, WorkerError> {
    let catalog = &worker.runner.catalog;
    let folder = dead.join(format!("{}-{}", open.job, open.attempt));
    if !Adoption::is_possible(&folder).await || !has_started(worker, &container.id).await {
        return Ok(None);
    }
    let Some(request) = catalog.request_of(open.job).await? else { return Ok(None) };
    if !catalog.take_over(open.job, open.attempt, &open.worker, worker.id()).await? {
        return Ok(None);
    }
    let component = worker.specs.component(&request.component).await;
    // It runs already: whether there is room for it is not asked.
    let share = match &component {
        Ok(component) => load::share(open.job, &request, component, catalog).await?,
        Err(_) => Share::SLOT,
    };
    let berth = worker.desk.berths.take(open.job, open.attempt, share);
    let adoption = Adoption { attempt: open.attempt, folder, container: container.id.clone() };
    let work = job::Work {
        job: open.job,
        request,
        attempt: open.attempt,
        component,
        adoption: Some(adoption),
        berth,
    };
    Ok(Some(worker.desk.tasks.spawn(Box::pin(job::work(Arc::clone(worker), work)))))
}

/// A container that never started has nothing to tell: its job begins anew.
async fn has_started(worker: &Worker, container: &str) -> bool {
    let Ok(engine) = worker.runner.engine().await else { return false };
    engine.inspect_container(container).await.is_ok_and(|inspected| inspected.state.started)
}

async fn containers(worker: &Worker, folder: &WorkerFolder) -> Result<Vec<Left>, crate::engine::EngineError> {
    let engine: &Engine = worker.runner.engine().await?;
    let found = runtime::find_containers(engine, "longshore.worker", Some(folder.worker.as_str())).await?;
    let label = |labels: &[(String, String)], name: &str| {
        let found = labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    Ok(found
        .into_iter()
        .map(|found| Left {
            job: label(&found.labels, "longshore.job"),
            attempt: label(&found.labels, "longshore.attempt"),
            id: found.id,
        })
        .collect())
}

async fn remove(worker: &Worker, id: &str) -> Result<(), RuntimeError> {
    let failed = |source| RuntimeError::Remove { id: id.to_owned(), source };
    let engine = worker.runner.engine().await.map_err(failed)?;
    runtime::remove_by_id(engine, id).await
}

/// Removes the networks of a dead worker's containers but for those of attempts that are gone on with.
async fn remove_networks(
    worker: &Worker,
    folder: &WorkerFolder,
    kept: &[(String, String)],
) -> Result<(), crate::engine::EngineError> {
    let engine = worker.runner.engine().await?;
    let found = egress::find_networks(engine, "longshore.worker", Some(folder.worker.as_str())).await?;
    for network in found {
        let is_kept = kept.iter().any(|(job, attempt)| {
            network.label("job") == Some(job) && network.label("attempt") == Some(attempt)
        });
        if !is_kept {
            egress::remove_network(engine, &network).await?;
        }
    }
    egress::forget_rules().await;
    Ok(())
}

/// The dead worker's folder is needed until what was adopted from it has ended.
fn clear_when_done(worker: &Arc<Worker>, tasks: Vec<JoinHandle<()>>, folder: WorkerFolder) {
    let shared = Arc::clone(worker);
    worker.desk.tasks.spawn(async move {
        for task in tasks {
            // However it ended, it does not need the folder any more.
            drop(task.await);
        }
        let mut swept = Swept::default();
        shared.sweep().remove(folder, &mut swept).await;
        for leftover in &swept.leftovers {
            tracing::warn!(error = %failure::chain(leftover), "a dead worker's folder stays for now");
        }
    });
}
