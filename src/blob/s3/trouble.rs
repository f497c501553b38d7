//! What an S3 server answers instead of what was asked for, and whether asking again can help.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

type Cause = Box<dyn Error + Send + Sync>;

/// Why a call to the store came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreTrouble {
    #[error("the store answered {status} {code}: {message}")]
    Answered { status: u16, code: String, message: String },
    #[error("the store was silent for {} s", limit.as_secs_f64())]
    Silent { limit: Duration },
    #[error("the connection to the store failed")]
    Connection { source: Cause },
    #[error("the store ended its answer early")]
    CutOff,
    #[error("the store's answer cannot be read")]
    Garbled { source: Cause },
    /// Nothing was sent: there are no credentials, or no region, or an address that is none.
    #[error("the call to the store could not be made")]
    NotMade { source: Cause },
}

/// What trouble means for whoever called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Asking again may help.
    Passing,
    NoBlob,
    NoBucket,
    NoUpload,
    /// A range of a blob that has no bytes there.
    NoRange,
    Denied,
    Final,
}

impl StoreTrouble {
    pub(super) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let error = answer.err();
                Self::Answered {
                    status,
                    code: error.code().unwrap_or("without a code").to_owned(),
                    message: error.message().unwrap_or("without a message").to_owned(),
                }
            }
            SdkError::ResponseError(answer) if answer.raw().status().is_success() => {
                Self::Garbled { source: SdkError::<E, HttpResponse>::ResponseError(answer).into_cause() }
            }
            SdkError::ResponseError(answer) => Self::Answered {
                status: answer.raw().status().as_u16(),
                code: "without a code".to_owned(),
                message: "without a message".to_owned(),
            },
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::NotMade { source: SdkError::<E, HttpResponse>::DispatchFailure(failure).into_cause() }
            }
            SdkError::ConstructionFailure(_) => Self::NotMade { source: error.into_cause() },
            // TimeoutError and DispatchFailure; the enum is open.
            other => Self::Connection { source: other.into_cause() },
        }
    }

    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::Silent { .. } | Self::Connection { .. } | Self::CutOff | Self::Garbled { .. } => {
                Meaning::Passing
            }
            Self::NotMade { .. } => Meaning::Final,
            Self::Answered { status, code, .. } => match (*status, code.as_str()) {
                (_, "NoSuchBucket") => Meaning::NoBucket,
                (_, "NoSuchUpload") => Meaning::NoUpload,
                (_, "SlowDown" | "RequestTimeout" | "InternalError" | "RequestTimeTooSkewed")
                // What we sent did not arrive as we sent it.
                | (_, "BadDigest" | "IncompleteBody" | "XAmzContentChecksumMismatch" | "InvalidDigest")
                | (408 | 425 | 429 | 500 | 502 | 503 | 504, _) => Meaning::Passing,
                (404, _) => Meaning::NoBlob,
                (401 | 403, _) => Meaning::Denied,
                (416, _) => Meaning::NoRange,
                (_, _) => Meaning::Final,
            },
        }
    }
}

/// The cause with its own causes below it, whatever kind of failure it came in.
trait IntoCause {
    fn into_cause(self) -> Cause;
}

impl<E: Error + Send + Sync + 'static> IntoCause for SdkError<E, HttpResponse> {
    fn into_cause(self) -> Cause {
        self.into_source().unwrap_or_else(Into::into)
    }
}
