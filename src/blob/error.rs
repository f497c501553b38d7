//! What can go wrong with a blob.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::BlobKey;
use super::s3::StoreTrouble;

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
    /// What was stored is not what comes back.
    #[error("blob {key} is damaged: {how}")]
    Damaged { key: BlobKey, how: Damage },
    /// It was tried until patience was over: a later try may help.
    #[error("could not {action} {what} in {place}, tried {tries} times")]
    Unavailable { action: &'static str, what: String, place: Arc<Place>, tries: u32, source: StoreTrouble },
    /// An answer that trying again does not change.
    #[error("could not {action} {what} in {place}")]
    Refused { action: &'static str, what: String, place: Arc<Place>, source: StoreTrouble },
    #[error("there is no {place}: make it, or correct `blobs.s3` in the settings")]
    NoBucket { place: Arc<Place> },
    #[error("{place} does not let us {action} {what}: check the credentials and what they may do")]
    Denied { action: &'static str, what: String, place: Arc<Place>, source: StoreTrouble },
}

/// Which bucket of which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) bucket: String,
    pub(super) endpoint: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} at {}", self.bucket, self.endpoint)
    }
}

/// How a blob is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("its checksum does not match")]
    Checksum,
    #[error("it ends before its end")]
    Truncated,
    #[error("a frame in it cannot be read: {reason}")]
    Frame { reason: String },
    #[error("it changed while it was read")]
    Changed,
}

/// Wraps an I/O error with what was done to which path.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_owned();
    move |source| BlobError::Io { action, path, source }
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
            | Self::CutOff { .. }
            | Self::Damaged { .. }
            | Self::Unavailable { .. }
            | Self::Refused { .. }
            | Self::NoBucket { .. }
            | Self::Denied { .. } => false,
        }
    }
}
