//! Containers that an earlier life of a worker may have left.

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
    // Only a live document knows the parent cgroup; without it a few empty folders stay until the next boot.
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
