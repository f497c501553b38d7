//! Why an image could not be built.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::context::ContextError;
use super::git::GitError;
use crate::engine::EngineError;
use crate::image::ImageError;

/// The variants differ in who can help: the author of the repository, whoever set it up, or time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the source {source_name} cannot be built: {source}")]
    Context { source_name: String, source: ContextError },
    /// The Dockerfile's own failure.
    #[error("the image of {source_name} could not be built: {reason}{}", told(.log))]
    Failed {
        source_name: String,
        reason: String,
        /// The last lines of what the build said.
        log: Vec<String>,
    },
    #[error("the build of {source_name} took longer than {} minutes{}", after.as_secs() / 60, told(.log))]
    TooLong { source_name: String, after: Duration, log: Vec<String> },
    #[error("the base image {base} of {source_name} cannot be had: {source}")]
    Base { base: String, source_name: String, source: Box<ImageError> },
    #[error("the engine could not build the image of {source_name}")]
    Engine { source_name: String, source: EngineError },
    #[error("the engine said that it built the image of {source_name}, yet has no such image")]
    Vanished { source_name: String },
    #[error("cannot {action} {path}", path = .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Who or what can help.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BuildTrouble<'a> {
    /// The source, or what is said of it, must change.
    Source,
    /// It is not there, or not for us.
    Missing,
    Dockerfile,
    /// An image that the build starts from.
    Base(&'a ImageError),
    DiskFull,
    /// Time, or an operator.
    Platform,
}

impl BuildError {
    pub(crate) fn trouble(&self) -> BuildTrouble<'_> {
        match self {
            Self::Git(error) => error.trouble(),
            Self::Context { source, .. } => source.trouble(),
            Self::Failed { .. } | Self::TooLong { .. } => BuildTrouble::Dockerfile,
            Self::Base { source, .. } => BuildTrouble::Base(source),
            Self::Engine { source, .. } if source.is_disk_full() => BuildTrouble::DiskFull,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => BuildTrouble::DiskFull,
            Self::Engine { .. } | Self::Io { .. } | Self::Vanished { .. } => BuildTrouble::Platform,
        }
    }
}

fn told(log: &[String]) -> String {
    if log.is_empty() { String::new() } else { format!("\n{}", log.join("\n")) }
}
