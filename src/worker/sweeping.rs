//! Containers and networks on our engine that nobody stands by any more: an engine may make one after its worker died, a
//! machine's worker may never come back, and one whose engine was away could not remove its own. Looked for now and then,
//! and removed only when seen twice. What is left of their cgroups goes too.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use super::Worker;
use crate::egress::{self, FoundNetwork};
use crate::engine::{Engine, FoundContainer};
use crate::failure;
use crate::job::WorkerId;
use crate::runtime;

/// What is left on an engine.
enum Left {
    Container(FoundContainer),
    Network(FoundNetwork),
}

impl Left {
    fn id(&self) -> &str {
        match self {
            Self::Container(container) => &container.id,
            Self::Network(network) => &network.id,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Container(_) => "container",
            Self::Network(_) => "network",
        }
    }

    fn label(&self, name: &str) -> Option<&str> {
        match self {
            Self::Container(container) => container.label(name),
            Self::Network(network) => network.label(name),
        }
    }

    /// Why it stays, if it does.
    async fn remove(&self, engine: &Engine) -> Result<(), String> {
        match self {
            Self::Container(container) => {
                runtime::remove_by_id(engine, &container.id).await.map_err(|error| failure::chain(&error))
            }
            Self::Network(network) => {
                let removed = egress::remove_network(engine, network).await;
                egress::forget_rules().await;
                removed.map_err(|error| failure::chain(&error))
            }
        }
    }
}

/// Removes what is forgotten until it is told to stop.
pub(super) async fn sweep_containers(worker: &Worker, stop: &CancellationToken) {
    let mut suspects = HashSet::new();
    while !stop.is_cancelled() {
        match forgotten(worker).await {
            Ok(found) => suspects = remove_seen_twice(worker, found, &suspects).await,
            Err(why) => tracing::warn!(why, "forgotten containers cannot be looked for"),
        }
        remove_spent_cgroups(worker).await;
        stop.run_until_cancelled(tokio::time::sleep(worker.options.lease)).await;
    }
}

/// They cost a little of the kernel's memory and hold nobody up, so trouble with them waits for the next turn.
async fn remove_spent_cgroups(worker: &Worker) {
    let Ok(engine) = worker.runner.engine().await else { return };
    match runtime::remove_spent_cgroups(engine).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "cgroups of containers that are gone are removed"),
        Err(error) => tracing::warn!(why = failure::chain(&error), "spent cgroups stay for now"),
    }
}

/// What is this project's and whose worker is neither signed on nor holds a lock here, and what is our own and whose
/// attempt is not under way. Containers come first: a network is removed after its container.
async fn forgotten(worker: &Worker) -> Result<Vec<Left>, String> {
    let engine = worker.runner.engine().await.map_err(|error| failure::chain(&error))?;
    let project = Some(worker.project_id.as_str());
    let containers = runtime::find_containers(engine, "longshore.project", project).await;
    let networks = egress::find_networks(engine, "longshore.project", project).await;
    let containers = containers.map_err(|error| failure::chain(&error))?.into_iter().map(Left::Container);
    let networks = networks.map_err(|error| failure::chain(&error))?.into_iter().map(Left::Network);
    let mut found: Vec<Left> = containers.chain(networks).collect();
    if found.is_empty() {
        return Ok(found);
    }
    // Asked after the containers: who signs on in between is seen.
    let beats = worker.runner.catalog.beats().await.map_err(|error| failure::chain(&error))?;
    let is_known = |id: &WorkerId| beats.iter().any(|beat| beat.worker == *id) || worker.workers.is_known(id);
    let under_way = worker.desk.berths.list();
    found.retain(|left| {
        let owner = left.label("worker").and_then(|value| value.parse::<WorkerId>().ok());
        match owner {
            Some(owner) if owner == *worker.id() => !under_way.iter().any(|(job, attempt, _)| {
                left.label("job") == Some(job.to_string().as_str())
                    && left.label("attempt") == Some(attempt.to_string().as_str())
            }),
            Some(owner) => !is_known(&owner),
            None => false,
        }
    });
    Ok(found)
}

/// Returns the ids of what was seen for the first time.
async fn remove_seen_twice(worker: &Worker, found: Vec<Left>, suspects: &HashSet<String>) -> HashSet<String> {
    let Ok(engine) = worker.runner.engine().await else {
        return found.iter().map(|left| left.id().to_owned()).collect();
    };
    let mut once = HashSet::new();
    for left in found {
        let id = left.id().to_owned();
        if !suspects.contains(&id) {
            once.insert(id);
        } else if let Err(why) = left.remove(engine).await {
            tracing::warn!(id, why, "a forgotten {} stays for now", left.kind());
            once.insert(id);
        } else {
            tracing::info!(id, "a forgotten {} is removed", left.kind());
        }
    }
    once
}
