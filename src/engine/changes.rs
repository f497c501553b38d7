//! What a container changed in its image's files.

use super::{Engine, EngineError};

impl Engine {
    /// Paths that the container added, changed or removed since it was made, parents among them; mounts do not count.
    /// The engine's own additions (its init process) are told too.
    pub(crate) async fn changed_paths(&self, id: &str) -> Result<Vec<String>, EngineError> {
        let short = id.get(..12).unwrap_or(id);
        let asked = self.docker.container_changes(id);
        let changes = self.ask("compare with its image", &format!("container {short}"), asked).await?;
        Ok(changes.unwrap_or_default().into_iter().map(|change| change.path).collect())
    }
}
