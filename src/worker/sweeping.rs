//! Containers on our engine that nobody stands by any more: an engine may make one after its worker died, a machine's
//! worker may never come back, and one whose engine was away could not remove its own. Looked for now and then, and
//! removed only when seen twice.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use super::Worker;
use crate::failure;
use crate::job::WorkerId;
use crate::runtime;

/// Removes forgotten containers until it is told to stop.
pub(super) async fn sweep_containers(worker: &Worker, stop: &CancellationToken) {
    let mut suspects = HashSet::new();
    while !stop.is_cancelled() {
        match forgotten(worker).await {
            Ok(found) => suspects = remove_seen_twice(worker, found, &suspects).await,
            Err(why) => tracing::warn!(why, "forgotten containers cannot be looked for"),
        }
        stop.run_until_cancelled(tokio::time::sleep(worker.options.lease)).await;
    }
}

/// Ids of containers of this project whose worker is neither signed on nor holds a lock here, and of our own whose
/// attempt is not under way.
async fn forgotten(worker: &Worker) -> Result<HashSet<String>, String> {
    let engine = worker.runner.engine().await.map_err(|error| failure::chain(&error))?;
    let project = Some(worker.project_id.as_str());
    let found = runtime::find_containers(engine, "longshore.project", project).await;
    let found = found.map_err(|error| failure::chain(&error))?;
    if found.is_empty() {
        return Ok(HashSet::new());
    }
    // Asked after the containers: who signs on in between is seen.
    let beats = worker.runner.catalog.beats().await.map_err(|error| failure::chain(&error))?;
    let is_known = |id: &WorkerId| beats.iter().any(|beat| beat.worker == *id) || worker.workers.is_known(id);
    let mut forgotten = HashSet::new();
    let under_way = worker.desk.berths.list();
    for container in found {
        let owner = container.label("worker").and_then(|value| value.parse::<WorkerId>().ok());
        let is_left = match owner {
            Some(owner) if owner == *worker.id() => !under_way.iter().any(|(job, attempt, _)| {
                container.label("job") == Some(job.to_string().as_str())
                    && container.label("attempt") == Some(attempt.to_string().as_str())
            }),
            Some(owner) => !is_known(&owner),
            None => false,
        };
        if is_left {
            forgotten.insert(container.id);
        }
    }
    Ok(forgotten)
}

/// Returns who was seen for the first time.
async fn remove_seen_twice(
    worker: &Worker,
    found: HashSet<String>,
    suspects: &HashSet<String>,
) -> HashSet<String> {
    let Ok(engine) = worker.runner.engine().await else { return found };
    let mut once = HashSet::new();
    for id in found {
        if !suspects.contains(&id) {
            once.insert(id);
        } else if let Err(error) = runtime::remove_by_id(engine, &id).await {
            tracing::warn!(error = %failure::chain(&error), "a forgotten container stays for now");
            once.insert(id);
        } else {
            tracing::info!(container.id = id, "a forgotten container is removed");
        }
    }
    once
}
