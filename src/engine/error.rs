//! What can go wrong between us and the engine.

use std::error::Error as StdError;
use std::time::Duration;

use bollard::errors::Error as ClientError;

/// An engine call that did not do what it was asked. `action` and `subject` read as one phrase:
/// "start", "container 4f2a…".
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error(
        "no container engine answers at {address}; start the Docker engine, or set DOCKER_HOST to where it listens"
    )]
    Unreachable { address: String, source: Option<Box<dyn StdError + Send + Sync>> },
    #[error(
        "the container engine at {address} may not be used by this user: join the group of its socket (usually \
         `docker`), or run as root"
    )]
    Forbidden { address: String, source: Box<dyn StdError + Send + Sync> },
    #[error("{host:?} is not the address of an engine: use unix:///path/to/socket or tcp://host:port")]
    BadAddress { host: String },
    #[error("the engine refused to {action} {subject} (status {status}): {message}")]
    Refused { action: &'static str, subject: String, status: u16, message: String },
    /// The outcome is unknown: the engine may still do it.
    #[error("the engine did not {action} {subject} within {} seconds", after.as_secs())]
    Silent { action: &'static str, subject: String, after: Duration },
    #[error("the conversation with the engine broke off while it should {action} {subject}")]
    Broken { action: &'static str, subject: String, source: Box<dyn StdError + Send + Sync> },
    #[error(
        "the network {name} exists, but lets containers talk to each other; remove it and it is made anew"
    )]
    ForeignNetwork { name: String },
}

impl EngineError {
    /// Whether the engine's host has no room left: retrying helps only after somebody made some.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Refused { message, .. } => message.contains("no space left on device"),
            Self::Broken { source, .. } => source.to_string().contains("no space left on device"),
            Self::Unreachable { .. }
            | Self::Forbidden { .. }
            | Self::BadAddress { .. }
            | Self::Silent { .. }
            | Self::ForeignNetwork { .. } => false,
        }
    }

    /// The engine measures its disk for somebody else, and can do so only once at a time (Docker 20.10).
    pub(super) fn is_measuring(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains("disk usage operation is already running"))
    }

    /// Whether nobody answered, as opposed to an answer we did not like.
    #[cfg(test)]
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => true,
            Self::Broken { .. }
            | Self::Forbidden { .. }
            | Self::BadAddress { .. }
            | Self::Refused { .. }
            | Self::ForeignNetwork { .. } => false,
        }
    }

    /// The HTTP status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. }
            | Self::Forbidden { .. }
            | Self::BadAddress { .. }
            | Self::Silent { .. }
            | Self::Broken { .. }
            | Self::ForeignNetwork { .. } => None,
        }
    }

    /// Sorts the client library's error into ours.
    pub(super) fn from_client(
        action: &'static str,
        subject: &str,
        address: &str,
        error: ClientError,
    ) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "foreign, open enum")]
        match error {
            ClientError::DockerResponseServerError { status_code, message } => Self::Refused {
                action,
                subject: subject.into(),
                status: status_code,
                message: message.trim().into(),
            },
            // An error record inside an answer that began with success, as pulls give.
            ClientError::DockerStreamError { error } => {
                Self::Refused { action, subject: subject.into(), status: 200, message: error.trim().into() }
            }
            ClientError::SocketNotFoundError(_) => {
                Self::Unreachable { address: address.into(), source: None }
            }
            ClientError::HyperLegacyError { err } if err.is_connect() && is_forbidden(&err) => {
                Self::Forbidden { address: address.into(), source: Box::new(err) }
            }
            ClientError::HyperLegacyError { err } if err.is_connect() => {
                Self::Unreachable { address: address.into(), source: Some(Box::new(err)) }
            }
            other => Self::Broken { action, subject: subject.into(), source: Box::new(other) },
        }
    }
}

fn is_forbidden(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io_error = error.downcast_ref::<std::io::Error>();
        if io_error.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
            return true;
        }
        cause = error.source();
    }
    false
}
