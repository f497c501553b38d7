//! Where the time went and what was used, measured from the host side.

use std::time::Duration;

/// The steps of one job, in order; what the ledger is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
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
    pub const ALL: [Self; 12] = [
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

    pub fn as_str(self) -> &'static str {
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

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// One phase of one attempt. A phase that ran twice (rows) has two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseEntry {
    pub phase: Phase,
    pub took: Duration,
    /// Bytes moved in this phase; 0 where none are.
    pub bytes: u64,
}

/// Every phase an attempt went through, in the order it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhaseLedger {
    pub entries: Vec<PhaseEntry>,
}

impl PhaseLedger {
    pub fn record(&mut self, phase: Phase, took: Duration, bytes: u64) {
        self.entries.push(PhaseEntry { phase, took, bytes });
    }

    /// Time and bytes of one phase, summed over its entries; `None` when it never ran.
    pub fn total(&self, phase: Phase) -> Option<(Duration, u64)> {
        let mut of_phase = self.entries.iter().filter(|entry| entry.phase == phase).peekable();
        of_phase.peek()?;
        Some(
            of_phase
                .fold((Duration::ZERO, 0), |(took, bytes), entry| (took + entry.took, bytes + entry.bytes)),
        )
    }
}

/// What the container used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub memory_peak_bytes: Option<u64>,
    pub memory_limit_bytes: u64,
    pub cpu: Option<Duration>,
    pub input_bytes: u64,
    pub input_files: u64,
    pub output_bytes: u64,
    pub output_files: u64,
}
