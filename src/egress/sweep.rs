//! Networks and rules that a dead worker left.

use super::guard;
pub(crate) use crate::engine::FoundNetwork;
use crate::engine::{Engine, EngineError};

/// Every network of a single job with this label (and value).
pub(crate) async fn find_networks(
    engine: &Engine,
    label: &str,
    value: Option<&str>,
) -> Result<Vec<FoundNetwork>, EngineError> {
    engine.find_networks(label, value).await
}

/// Removes a network whose container is gone. Its rules stay until [`forget_rules`].
pub(crate) async fn remove_network(engine: &Engine, network: &FoundNetwork) -> Result<(), EngineError> {
    engine.remove_network(&network.id).await
}

/// Takes away rules for bridges that are gone. Such rules harm nobody, so trouble with them is nobody's failure.
pub(crate) async fn forget_rules() {
    match guard::release_gone().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "rules of networks that are gone are removed"),
        Err(why) => tracing::debug!(%why, "rules of networks that are gone stay"),
    }
}
