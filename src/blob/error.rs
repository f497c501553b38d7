//! What can go wrong with a blob.

use std::io;
use std::path::PathBuf;

use super::BlobKey;

/// Why a blob could not be stored, read or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    #[error(
        "{text:?} is not a blob key: expected parts of A-Z, a-z, 0-9, `.`, `_` and `-` between slashes, none beginning with a dot"
    )]
    Key { text: String },
    #[error("blob {key} is not in the store")]
    NotFound { key: BlobKey },
    /// Keys are used once: what is stored never changes.
    #[error("blob {key} is already in the store")]
    AlreadyStored { key: BlobKey },
    /// A symlink, directory, FIFO, device or socket where a file to be stored was expected.
    #[error("{} is not a plain file", path.display())]
    NotPlainFile { path: PathBuf },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The thread that did the work panicked or the runtime is going down.
    #[error("the work on blob {what} was cut off")]
    CutOff { what: String, source: tokio::task::JoinError },
}

/// Whether a file system or a quota is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl BlobError {
    /// Whether the store's (or the receiver's) file system or quota is full: the operator must act.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_disk_full(source),
            Self::Key { .. }
            | Self::NotFound { .. }
            | Self::AlreadyStored { .. }
            | Self::NotPlainFile { .. }
            | Self::CutOff { .. } => false,
        }
    }
}
