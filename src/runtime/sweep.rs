//! Containers that an earlier life of a worker may have left, and what outlives them.

use super::{RuntimeError, cgroup};
pub(crate) use crate::engine::FoundContainer as Found;
use crate::engine::{Engine, EngineError};

/// Every container with this label (and value): created, running and exited ones.
pub(crate) async fn find_containers(
    engine: &Engine,
    label: &str,
    value: Option<&str>,
) -> Result<Vec<Found>, EngineError> {
    engine.find_containers(label, value).await
}

/// Removes a container and its cgroup. One that is gone already, or on its way out, counts as removed.
pub(crate) async fn remove_by_id(engine: &Engine, id: &str) -> Result<(), RuntimeError> {
    let failed = |source| RuntimeError::Remove { id: id.into(), source };
    // Only a live document knows the parent cgroup; without it a few empty folders stay for [`remove_spent_cgroups`].
    let parent = match engine.inspect_container(id).await {
        Ok(inspected) => inspected.cgroup_parent,
        Err(error) if error.status() == Some(404) => None,
        Err(error) => return Err(failed(error)),
    };
    engine.remove_container(id).await.map_err(failed)?;
    if let Some(parent) = parent {
        cgroup::remove_parent(&parent).await;
    }
    Ok(())
}

/// Removes the cgroups of containers that are gone, after a grace; returns how many.
pub(crate) async fn remove_spent_cgroups(engine: &Engine) -> Result<usize, EngineError> {
    if !cgroup::is_tree_ours(engine.facts().await?) {
        return Ok(0);
    }
    let mut removed = 0;
    for name in cgroup::spent_parents().await {
        match engine.inspect_container(&name).await {
            // Its runner has not read the counters yet, or a sweep is to remove both.
            Ok(_found) => {}
            Err(error) if error.status() == Some(404) => {
                cgroup::remove_parent(&cgroup::path_of(&name)).await;
                removed += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}
