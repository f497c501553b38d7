//! How the process ends: a closed list, documented in the README, and the one trouble type of the command line.

use std::fmt;
use std::process::ExitCode;

use crate::blob::BlobError;
use crate::catalog::CatalogError;
pub(crate) use crate::failure::chain;
use crate::job::{Blame, FailureCode, JobStatus};
use crate::secret::{KeyError, SealError};

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    Success,
    /// The person who configured or called must act.
    User,
    /// The command line itself is wrong; clap uses the same number.
    Usage,
    Component,
    Platform,
    Interrupted,
    /// What was waited for did not come in the time given; `timeout` uses the same number.
    TimedOut,
}

impl ExitStatus {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::User => 1,
            Self::Usage => 2,
            Self::Component => 3,
            Self::Platform => 4,
            Self::Interrupted => 130,
            Self::TimedOut => 124,
        }
    }

    /// How a command exits that saw a job to its end.
    pub(crate) fn of_end(status: JobStatus, code: Option<FailureCode>) -> Self {
        match (status, code) {
            (JobStatus::Terminated | JobStatus::Cancelled, _) => Self::Interrupted,
            (_, Some(code)) => code.blame().into(),
            (_, None) => Self::Success,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

impl From<Blame> for ExitStatus {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::User => Self::User,
            Blame::Component => Self::Component,
            Blame::Platform => Self::Platform,
        }
    }
}

/// Why a command did not do what it was asked: what to print and how to exit.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) status: ExitStatus,
    /// One or more lines, each a complaint of its own.
    pub(crate) messages: Vec<String>,
    pub(crate) hint: Option<String>,
}

impl Trouble {
    pub(crate) fn user(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::User, messages: vec![message.into()], hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Usage, messages: vec![message.into()], hint: None }
    }

    pub(crate) fn platform(error: &dyn std::error::Error) -> Self {
        Self { status: ExitStatus::Platform, messages: vec![chain(error)], hint: None }
    }

    /// Of the platform, where the error itself does not say what it was about.
    pub(crate) fn platform_told(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Platform, messages: vec![message.into()], hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages.join("\n"))
    }
}

impl From<CatalogError> for Trouble {
    fn from(error: CatalogError) -> Self {
        Self::platform(&error)
    }
}

/// A key that is missing or in disorder is for whoever set it.
impl From<KeyError> for Trouble {
    fn from(error: KeyError) -> Self {
        Self::user(chain(&error))
    }
}

impl From<SealError> for Trouble {
    fn from(error: SealError) -> Self {
        let trouble = Self::user(chain(&error));
        match error {
            SealError::NoKey => trouble.hint(
                "set `secrets.identity_file` to the file that `longshore secret keygen` wrote, or name a public key with --recipient",
            ),
            SealError::Failed { .. } | SealError::Key(_) => trouble,
        }
    }
}

impl From<BlobError> for Trouble {
    fn from(error: BlobError) -> Self {
        Self::platform(&error)
    }
}
