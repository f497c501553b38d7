//! A door for log messages that could not be opened: the platform's doing.

use super::{Stop, chain};
use crate::job::{Failure, FailureCode};
use crate::runtime::GelfError;

impl From<GelfError> for Stop {
    fn from(error: GelfError) -> Self {
        let message = match &error {
            // The worker is not where the engine's networks are: on another machine, or in a network of its own.
            GelfError::Bind { source, .. } if source.kind() == std::io::ErrorKind::AddrNotAvailable => {
                "the component logs by GELF, and Longshore cannot listen on the engine's networks from here: run it on the \
                 engine's machine, in the host's network, or set `logging.type: standard`"
                    .to_owned()
            }
            GelfError::Bind { .. } | GelfError::NoPort { .. } => error.to_string(),
        };
        Self::Failed(Failure { code: FailureCode::EngineFailed, message, detail: chain(&error) })
    }
}
