//! Whose fault it was: the one place where errors of the steps become a code, a message for the person who configured
//! the job, and a detail for the operator.

mod bounded;
mod egress;
mod gelf;
mod image;
mod limit;
mod outputs;

use std::error::Error;

use serde_json::Value;

use crate::blob::{BlobError, is_disk_full};
use crate::catalog::CatalogError;
use crate::component::{Allotment, Complaint, Logging};
use crate::engine::EngineError;
use crate::events::LastWords;
use crate::job::{BadExit, Failure, FailureCode};
use crate::mapping::{
    ArchiveError, CollectError, FolderError, PublishError, Several, StageError, StateError, UploadError,
};
use crate::runtime::{RuntimeError, SpoolError};
pub(crate) use bounded::told;
use outputs::{all, of_collect, of_unsafe, of_upload};

/// Why a step could not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Failure),
    /// Somebody asked.
    Cancelled,
}

impl Stop {
    /// A failure whose message may be shown as it is: it is about what the user wrote.
    pub(crate) fn users(code: FailureCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Failed(Failure { code, detail: message.clone(), message })
    }

    /// All that is wrong with a configuration, a line each.
    pub(crate) fn complaints(complaints: &[Complaint]) -> Self {
        let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        Self::users(FailureCode::ConfigurationInvalid, lines.join("\n"))
    }

    /// Trouble of the platform: the person who configured the job is told what kind, the operator the rest.
    fn platform(code: FailureCode, error: &(dyn Error + 'static)) -> Self {
        let message = match code {
            FailureCode::DiskFull => "the disk is full",
            FailureCode::EngineFailed => "the container engine had trouble",
            FailureCode::StorageFailed => "the storage had trouble",
            FailureCode::CatalogFailed => "the catalog had trouble",
            FailureCode::RunnerLost => "the job was taken over by another runner",
            FailureCode::ImageUnavailable => "the image cannot be fetched now",
            FailureCode::ImageNotFound
            | FailureCode::ConfigurationInvalid
            | FailureCode::ComponentUserError
            | FailureCode::ComponentFailed
            | FailureCode::ComponentNotStarted
            | FailureCode::OutOfMemory
            | FailureCode::TimeLimit
            | FailureCode::SizeLimit
            | FailureCode::OutputInvalid
            | FailureCode::OutputUnsafe
            | FailureCode::SecretInOutput
            | FailureCode::ImageBuildFailed => "the job failed",
        };
        Self::Failed(Failure { code, message: message.to_owned(), detail: chain(error) })
    }

    fn storage(is_disk_full: bool, error: &(dyn Error + 'static)) -> Self {
        Self::platform(if is_disk_full { FailureCode::DiskFull } else { FailureCode::StorageFailed }, error)
    }
}

/// An error with its causes on one line, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

/// The attempt is another runner's now: whatever this one did is not published.
pub(crate) fn fence_lost() -> Stop {
    Stop::Failed(Failure {
        code: FailureCode::RunnerLost,
        message: "the job was taken over by another runner".to_owned(),
        detail: "the attempt is not the job's current one any more".to_owned(),
    })
}

/// The catalog itself failed the job.
pub(crate) fn of_catalog(error: &CatalogError) -> Failure {
    Failure {
        code: FailureCode::CatalogFailed,
        message: "the catalog had trouble".to_owned(),
        detail: chain(error),
    }
}

/// A fault in this program.
pub(crate) fn of_panic() -> Failure {
    Failure {
        code: FailureCode::RunnerLost,
        message: "the runner broke down".to_owned(),
        detail: "a task of the worker panicked; its log tells where".to_owned(),
    }
}

/// The worker was told to leave while the job was under way.
pub(crate) fn worker_left() -> Failure {
    Failure {
        code: FailureCode::RunnerLost,
        message: "the worker was shut down; the job is tried again".to_owned(),
        detail: "the worker was told twice to stop".to_owned(),
    }
}

/// The component failed on a disk without room: whose fault it was cannot be said, but who must act can.
pub(crate) fn disk_full(stop: Stop) -> Stop {
    match stop {
        Stop::Cancelled => Stop::Cancelled,
        Stop::Failed(failure) => Stop::Failed(Failure {
            code: FailureCode::DiskFull,
            message: "the disk is full".to_owned(),
            detail: format!("{}\n{}", failure.message, failure.detail),
        }),
    }
}

/// How a bad end is told (design: the table of outcomes).
///
/// `state` is the engine's own account of the end, for the operator. A component may ask that its own failures are told
/// as its users' (Keboola's `no_application_errors`).
pub(crate) fn of_exit(
    exit: &BadExit,
    words: &LastWords,
    allotment: &Allotment,
    logging: &Logging,
    state: &Value,
) -> Stop {
    let said = [&words.stderr, &words.stdout].into_iter().find(|said| !said.is_empty());
    let said = said.unwrap_or(&words.last_error);
    let (code, message) = match exit {
        BadExit::Cancelled => return Stop::Cancelled,
        BadExit::Code(1) => {
            let message = if said.is_empty() { "the component failed without a message" } else { said };
            (FailureCode::ComponentUserError, message.to_owned())
        }
        BadExit::Code(code) => {
            let last = said.lines().last().unwrap_or("it said nothing");
            (FailureCode::ComponentFailed, format!("the component ended with {}: {last}", code_words(*code)))
        }
        BadExit::OutOfMemory { limit_bytes, peak_bytes } => {
            (FailureCode::OutOfMemory, limit::out_of_memory(*limit_bytes, *peak_bytes, allotment))
        }
        BadExit::TimeLimit { limit } => (FailureCode::TimeLimit, limit::too_long(*limit, allotment)),
        BadExit::SizeLimit { what, limit, found } => {
            (FailureCode::SizeLimit, limit::too_large(*what, *limit, *found, allotment))
        }
        BadExit::DiskReserve { what, written, free, reserve } => {
            (FailureCode::DiskFull, limit::disk_low(*what, *written, *free, *reserve))
        }
        BadExit::CouldNotStart(failure) => {
            let entrypoint = &failure.entrypoint;
            let message =
                format!("the image's entrypoint `{entrypoint}` could not be started: {}", failure.reason);
            (FailureCode::ComponentNotStarted, message)
        }
    };
    let is_told_as_users = code == FailureCode::ComponentFailed && logging.no_application_errors;
    let code = if is_told_as_users { FailureCode::ComponentUserError } else { code };
    let detail = format!("{exit:?}; engine: {state}\n{said}");
    Stop::Failed(Failure { code, message, detail })
}

/// Signals are told by name where everybody knows them.
fn code_words(code: i64) -> String {
    let signal = match code {
        132 => "SIGILL",
        134 => "SIGABRT",
        137 => "SIGKILL",
        139 => "SIGSEGV",
        143 => "SIGTERM",
        _ => return format!("exit code {code}"),
    };
    format!("exit code {code} ({signal})")
}

impl From<CatalogError> for Stop {
    fn from(error: CatalogError) -> Self {
        let code = if error.is_disk_full() { FailureCode::DiskFull } else { FailureCode::CatalogFailed };
        Self::platform(code, &error)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        let code = if error.is_disk_full() { FailureCode::DiskFull } else { FailureCode::EngineFailed };
        match &error {
            // Says what to do, and names nothing but an address of our own settings.
            EngineError::Unreachable { .. }
            | EngineError::Forbidden { .. }
            | EngineError::BadAddress { .. } => {
                Self::Failed(Failure { code, message: error.to_string(), detail: chain(&error) })
            }
            EngineError::Refused { .. }
            | EngineError::Silent { .. }
            | EngineError::Broken { .. }
            | EngineError::ForeignNetwork { .. } => Self::platform(code, &error),
        }
    }
}

impl From<RuntimeError> for Stop {
    fn from(error: RuntimeError) -> Self {
        let code = if error.is_disk_full() { FailureCode::DiskFull } else { FailureCode::EngineFailed };
        Self::platform(code, &error)
    }
}

impl From<SpoolError> for Stop {
    fn from(error: SpoolError) -> Self {
        Self::storage(error.is_disk_full(), &error)
    }
}

impl From<FolderError> for Stop {
    fn from(error: FolderError) -> Self {
        Self::storage(error.is_disk_full(), &error)
    }
}

impl From<StageError> for Stop {
    fn from(error: StageError) -> Self {
        Self::storage(error.is_disk_full(), &error)
    }
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::storage(error.is_disk_full(), &error)
    }
}

impl From<BlobError> for Stop {
    fn from(error: BlobError) -> Self {
        Self::storage(error.is_disk_full(), &error)
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Unsafe(error) => of_unsafe(&error),
            StateError::NotJson { .. } | StateError::NotYaml { .. } | StateError::NotAnObject { .. } => {
                Self::users(FailureCode::OutputInvalid, error.to_string())
            }
            StateError::Stored { .. } => Self::platform(FailureCode::CatalogFailed, &error),
        }
    }
}

impl From<Several<CollectError>> for Stop {
    fn from(errors: Several<CollectError>) -> Self {
        all(errors.iter().map(of_collect))
    }
}

impl From<Several<UploadError>> for Stop {
    fn from(errors: Several<UploadError>) -> Self {
        all(errors.iter().map(of_upload))
    }
}

impl From<PublishError> for Stop {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Load(error) => of_upload(&error),
            PublishError::FenceLost { .. } => fence_lost(),
            PublishError::Contended { .. } => Self::platform(FailureCode::CatalogFailed, &error),
            PublishError::Catalog(error) => error.into(),
        }
    }
}

/// The complete log could not be written.
pub(crate) fn of_log(error: &std::io::Error) -> Stop {
    Stop::storage(is_disk_full(error), error)
}

/// Whether an import by hand failed through the file or the call, rather than through us.
pub(crate) fn is_users(error: &UploadError) -> bool {
    matches!(of_upload(error), Stop::Failed(failure) if failure.code.blame() == crate::job::Blame::User)
}
