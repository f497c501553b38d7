//! Where the time went and what was used, measured from the host side.

use std::time::Duration;

/// The steps of one job, in order; what the ledger is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    QueueWait,
    Resolve,
    Image,
    Stage,
    Create,
    Start,
    Run,
    Drain,
    Collect,
    Upload,
    Commit,
    Cleanup,
}

impl Phase {
    pub(crate) const ALL: [Self; 12] = [
        Self::QueueWait,
        Self::Resolve,
        Self::Image,
        Self::Stage,
        Self::Create,
        Self::Start,
        Self::Run,
        Self::Drain,
        Self::Collect,
        Self::Upload,
        Self::Commit,
        Self::Cleanup,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::QueueWait => "queue_wait",
            Self::Resolve => "resolve",
            Self::Image => "image",
            Self::Stage => "stage",
            Self::Create => "create",
            Self::Start => "start",
            Self::Run => "run",
            Self::Drain => "drain",
            Self::Collect => "collect",
            Self::Upload => "upload",
            Self::Commit => "commit",
            Self::Cleanup => "cleanup",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// One phase of one attempt. A phase that ran twice (rows) has two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PhaseEntry {
    pub phase: Phase,
    pub took: Duration,
    /// Bytes moved in this phase; 0 where none are.
    pub bytes: u64,
}

/// Every phase an attempt went through, in the order it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PhaseLedger {
    pub entries: Vec<PhaseEntry>,
}

impl PhaseLedger {
    pub(crate) fn record(&mut self, phase: Phase, took: Duration, bytes: u64) {
        self.entries.push(PhaseEntry { phase, took, bytes });
    }
}

/// What a container used and was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// By the kernel's counter, page cache included.
    pub memory_peak_bytes: Option<u64>,
    /// By samples, without page cache.
    pub memory_needed_bytes: Option<u64>,
    pub memory_limit_bytes: u64,
    pub cpu: Option<Duration>,
    pub input_bytes: u64,
    pub input_files: u64,
}
