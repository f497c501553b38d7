//! Why a registry did not answer with a digest.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Shared by all who waited for one answer. Never holds what a registry or a token server wrote: that may quote
/// credentials.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("the registry {registry} cannot be reached")]
    Unreachable { registry: String, source: Arc<dyn Error + Send + Sync> },
    #[error("the registry {registry} does not answer within {} seconds", after.as_secs())]
    Silent { registry: String, after: Duration },
    /// `after`: when the registry wants to be asked again.
    #[error("the registry {registry} cannot answer now (status {status})")]
    Busy { registry: String, status: u16, after: Option<Duration> },
    #[error(
        "the certificate of the registry {registry} is not trusted: name the authority that signed it as \
         registries.\"{registry}\".ca_file in longshore.yaml"
    )]
    Untrusted { registry: String, source: Arc<dyn Error + Send + Sync> },
    #[error("cannot read the certificates in {}: {why}", path.display())]
    Certificates { path: PathBuf, why: String },
    #[error("the registry {registry} refuses access (status {status})")]
    Refused { registry: String, status: u16 },
    #[error("the registry {registry} has no such image")]
    Missing { registry: String },
    #[error("the registry {registry} {what}")]
    Odd { registry: String, what: String },
}

impl RegistryError {
    /// Whether the same question may be answered later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Busy { .. } => true,
            Self::Untrusted { .. }
            | Self::Certificates { .. }
            | Self::Refused { .. }
            | Self::Missing { .. }
            | Self::Odd { .. } => false,
        }
    }

    /// Whether it answered, but could not just then.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Whether another try costs little time while somebody waits who could do without.
    pub(super) fn is_quick(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }

    /// How long the registry wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } => *after,
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Untrusted { .. }
            | Self::Certificates { .. }
            | Self::Refused { .. }
            | Self::Missing { .. }
            | Self::Odd { .. } => None,
        }
    }
}
