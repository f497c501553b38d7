//! What somebody asks for: one run of a component.

use super::{ComponentId, ConfigurationId};

/// How far a job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RunMode {
    /// The whole story.
    #[default]
    Run,
    /// Stages the inputs and stops; no container, nothing published.
    Input,
    /// Runs and checks the outputs, archives the data folder at every stage, publishes nothing.
    Debug,
}

impl RunMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Input => "input",
            Self::Debug => "debug",
        }
    }
}

/// A job as accepted, before anything of it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRequest {
    pub component: ComponentId,
    pub configuration: Option<ConfigurationId>,
    pub mode: RunMode,
    /// Runs this image tag instead of the spec's.
    pub tag: Option<String>,
}

/// How urgent a job is. A more urgent one goes before a less urgent one that has not waited an hour longer, so that
/// nobody starves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl Priority {
    pub(crate) const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text)
    }
}
