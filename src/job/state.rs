//! Where a job stands. Each state carries exactly what is known in it.

use jiff::Timestamp;

use super::{AttemptNumber, Outcome, Phase, WorkerId};

/// A job's life. The only way to move is [`JobState::advance`].
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    Waiting { since: Timestamp },
    Processing { since: Timestamp, attempt: AttemptNumber, phase: Phase, worker: WorkerId },
    Done { started: Option<Timestamp>, ended: Timestamp, outcome: Outcome },
}

/// A state's name, as catalog, events and people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    Waiting,
    Processing,
    Success,
    Warning,
    Error,
    Terminated,
    Cancelled,
}

/// A move the life of a job does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} cannot become {to}", from = .from.as_str(), to = .to.as_str())]
pub struct IllegalMove {
    pub from: JobStatus,
    pub to: JobStatus,
}

impl JobState {
    pub fn status(&self) -> JobStatus {
        match self {
            Self::Waiting { .. } => JobStatus::Waiting,
            Self::Processing { .. } => JobStatus::Processing,
            Self::Done { outcome, .. } => outcome.status(),
        }
    }

    /// Waiting → processing → done; waiting → done (cancelled); processing → processing (next phase or attempt).
    pub fn advance(self, to: Self) -> Result<Self, IllegalMove> {
        let legal = match (&self, &to) {
            (Self::Waiting { .. } | Self::Processing { .. }, Self::Processing { .. })
            | (Self::Processing { .. }, Self::Done { .. }) => true,
            (Self::Waiting { .. }, Self::Done { outcome, .. }) => outcome.status() == JobStatus::Cancelled,
            (_, Self::Waiting { .. }) | (Self::Done { .. }, _) => false,
        };
        if legal { Ok(to) } else { Err(IllegalMove { from: self.status(), to: to.status() }) }
    }
}

impl JobStatus {
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Processing,
        Self::Success,
        Self::Warning,
        Self::Error,
        Self::Terminated,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
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

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub fn is_done(self) -> bool {
        match self {
            Self::Waiting | Self::Processing => false,
            Self::Success | Self::Warning | Self::Error | Self::Terminated | Self::Cancelled => true,
        }
    }
}
