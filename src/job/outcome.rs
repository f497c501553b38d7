//! How a job ended: a failed job is an outcome, not an error.

use super::{FileId, JobStatus, LoadKind, Phase, TableId, VersionNumber};

/// The end of a job. Exactly one per job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded(Receipt),
    /// Ended with its outputs published, but something the user should look at happened on the way.
    Warned {
        receipt: Receipt,
        message: String,
    },
    Failed(Failure),
    /// Stopped on request after it had begun. The receipt is of the rows that had ended before.
    Terminated {
        during: Phase,
        receipt: Receipt,
    },
    /// Called off before anything ran.
    Cancelled,
}

impl Outcome {
    pub(crate) fn status(&self) -> JobStatus {
        match self {
            Self::Succeeded(_) => JobStatus::Success,
            Self::Warned { .. } => JobStatus::Warning,
            Self::Failed(_) => JobStatus::Error,
            Self::Terminated { .. } => JobStatus::Terminated,
            Self::Cancelled => JobStatus::Cancelled,
        }
    }
}

/// What a commit made visible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub tables: Vec<TableReceipt>,
    pub files: Vec<FileReceipt>,
}

/// One published table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableReceipt {
    pub table: TableId,
    pub version: VersionNumber,
    pub load: LoadKind,
    /// Rows of the load that count (after deduplication within the load).
    pub rows_loaded: u64,
    pub rows_deleted: u64,
    /// Rows of the table in this version.
    pub rows_total: u64,
    pub bytes_loaded: u64,
}

/// One published file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileReceipt {
    pub id: FileId,
    pub name: String,
    pub bytes: u64,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Blame {
    User,
    Component,
    Platform,
}

impl Blame {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Component => "component",
            Self::Platform => "platform",
        }
    }
}

/// Why a job failed, in two texts: `message` is for the person who configured the job and holds no secret,
/// host name or stack; `detail` is for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: FailureCode,
    pub message: String,
    pub detail: String,
}

/// The closed list of ways to fail. The texts are stable: documents, metrics and people's scripts use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FailureCode {
    /// Spec or configuration is wrong, or asks for what is not there.
    ConfigurationInvalid,
    /// The component said so: exit code 1.
    ComponentUserError,
    /// Exit code 2 or more, or a signal.
    ComponentFailed,
    /// The image's entrypoint could not be started.
    ComponentNotStarted,
    OutOfMemory,
    TimeLimit,
    SizeLimit,
    /// An output is malformed, missing, or does not fit its table.
    OutputInvalid,
    /// An output is not a plain file below the data folder.
    OutputUnsafe,
    /// An output holds a secret of the configuration, and the settings say that such are not published.
    SecretInOutput,
    ImageNotFound,
    ImageUnavailable,
    /// A Dockerfile failed.
    ImageBuildFailed,
    EngineFailed,
    StorageFailed,
    CatalogFailed,
    DiskFull,
    /// The runner of this attempt died; found by the next one.
    RunnerLost,
}

impl FailureCode {
    pub(crate) const ALL: [Self; 18] = [
        Self::ConfigurationInvalid,
        Self::ComponentUserError,
        Self::ComponentFailed,
        Self::ComponentNotStarted,
        Self::OutOfMemory,
        Self::TimeLimit,
        Self::SizeLimit,
        Self::OutputInvalid,
        Self::OutputUnsafe,
        Self::SecretInOutput,
        Self::ImageNotFound,
        Self::ImageUnavailable,
        Self::ImageBuildFailed,
        Self::EngineFailed,
        Self::StorageFailed,
        Self::CatalogFailed,
        Self::DiskFull,
        Self::RunnerLost,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ConfigurationInvalid => "configuration_invalid",
            Self::ComponentUserError => "component_user_error",
            Self::ComponentFailed => "component_failed",
            Self::ComponentNotStarted => "component_not_started",
            Self::OutOfMemory => "out_of_memory",
            Self::TimeLimit => "time_limit",
            Self::SizeLimit => "size_limit",
            Self::OutputInvalid => "output_invalid",
            Self::OutputUnsafe => "output_unsafe",
            Self::SecretInOutput => "secret_in_output",
            Self::ImageNotFound => "image_not_found",
            Self::ImageUnavailable => "image_unavailable",
            Self::ImageBuildFailed => "image_build_failed",
            Self::EngineFailed => "engine_failed",
            Self::StorageFailed => "storage_failed",
            Self::CatalogFailed => "catalog_failed",
            Self::DiskFull => "disk_full",
            Self::RunnerLost => "runner_lost",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Who must act (design table of outcomes).
    pub(crate) fn blame(self) -> Blame {
        match self {
            Self::ConfigurationInvalid
            | Self::ComponentUserError
            | Self::OutOfMemory
            | Self::TimeLimit
            | Self::SizeLimit
            | Self::OutputInvalid
            | Self::OutputUnsafe => Blame::User,
            Self::ComponentFailed
            | Self::ComponentNotStarted
            | Self::SecretInOutput
            | Self::ImageBuildFailed => Blame::Component,
            Self::ImageNotFound
            | Self::ImageUnavailable
            | Self::EngineFailed
            | Self::StorageFailed
            | Self::CatalogFailed
            | Self::DiskFull
            | Self::RunnerLost => Blame::Platform,
        }
    }

    /// Whether the same job may succeed later without anybody changing anything.
    pub(crate) fn is_retryable(self) -> bool {
        self.blame() == Blame::Platform && self != Self::ImageNotFound
    }
}
