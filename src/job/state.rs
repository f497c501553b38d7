//! Where a job stands. Each state carries exactly what is known in it.

use jiff::Timestamp;

use super::{AttemptNumber, FailureCode, Phase, WorkerId};

/// A job's life: waiting → processing → done, or waiting → done when it was called off. The catalog moves it, each
/// time comparing where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobState {
    Waiting,
    /// Claimed. `phase` is where the attempt was when it was last heard of.
    Processing {
        since: Timestamp,
        attempt: AttemptNumber,
        phase: Phase,
        worker: WorkerId,
    },
    /// A job that was called off never started.
    Done {
        started: Option<Timestamp>,
        ended: Timestamp,
        end: JobEnd,
    },
}

impl JobState {
    pub(crate) fn status(&self) -> JobStatus {
        match self {
            Self::Waiting => JobStatus::Waiting,
            Self::Processing { .. } => JobStatus::Processing,
            Self::Done { end, .. } => end.status,
        }
    }
}

/// How a job ended, as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobEnd {
    /// One of those that are done.
    pub(crate) status: JobStatus,
    /// Where it failed.
    pub(crate) code: Option<FailureCode>,
    pub(crate) message: String,
}

/// A state's name, as catalog, events and people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum JobStatus {
    Waiting,
    Processing,
    Success,
    Warning,
    Error,
    Terminated,
    Cancelled,
}

impl JobStatus {
    pub(crate) const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Processing,
        Self::Success,
        Self::Warning,
        Self::Error,
        Self::Terminated,
        Self::Cancelled,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Terminated => "terminated",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub(crate) fn is_done(self) -> bool {
        match self {
            Self::Waiting | Self::Processing => false,
            Self::Success | Self::Warning | Self::Error | Self::Terminated | Self::Cancelled => true,
        }
    }
}
