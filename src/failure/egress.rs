//! Networks that could not be had: always the platform's doing, since a spec was checked when it was read.

use super::{Stop, chain};
use crate::egress::EgressError;
use crate::job::{Failure, FailureCode};

impl From<EgressError> for Stop {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Engine(error) => error.into(),
            // They say what to do, and name nothing but programs and settings.
            EgressError::Unguarded { .. } | EgressError::NoSubnet { .. } => Self::Failed(Failure {
                code: FailureCode::EngineFailed,
                message: error.to_string(),
                detail: chain(&error),
            }),
            EgressError::NoGateway { .. }
            | EgressError::NetworkGone { .. }
            | EgressError::Listen { .. }
            | EgressError::Guard(_) => Self::platform(FailureCode::EngineFailed, &error),
        }
    }
}
