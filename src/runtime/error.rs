//! Why we cannot even say how a container ended.

use std::path::PathBuf;
use std::time::Duration;

use super::SpoolError;
use crate::engine::EngineError;

/// Trouble of the platform. How a component ends, well or badly, is never one of these.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    #[error("the container {name} could not be created")]
    Create { name: String, source: EngineError },
    #[error("the container {id} could not be started")]
    Start { id: String, source: EngineError },
    #[error("the end of the container {id} could not be learned")]
    Watch { id: String, source: EngineError },
    /// Whoever made it died before it could be started.
    #[error("the container {id} never ran")]
    NeverStarted { id: String },
    #[error("the engine stopped while the container {id} ran, and took it along")]
    EngineLeft { id: String },
    #[error("the container {id} could not be removed")]
    Remove { id: String, source: EngineError },
    #[error("the container {id} did not end within {} seconds after it was killed", after.as_secs())]
    WillNotDie { id: String, after: Duration },
    #[error("what the container {id} said could not be kept")]
    Spool { id: String, source: SpoolError },
    #[error("the data folder {path} cannot be measured", path = path.display())]
    Measure { path: PathBuf, source: std::io::Error },
    /// A task of ours panicked or was torn down under us.
    #[error("the task that {task} broke down")]
    TaskLost { task: &'static str, source: tokio::task::JoinError },
}

impl RuntimeError {
    /// Whether a disk of ours or the engine's is full.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Create { source, .. }
            | Self::Start { source, .. }
            | Self::Watch { source, .. }
            | Self::Remove { source, .. } => source.is_disk_full(),
            Self::Spool { source, .. } => source.is_disk_full(),
            Self::NeverStarted { .. }
            | Self::EngineLeft { .. }
            | Self::WillNotDie { .. }
            | Self::Measure { .. }
            | Self::TaskLost { .. } => false,
        }
    }
}
