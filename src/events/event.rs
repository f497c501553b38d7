//! One thing that happened or was said.

use jiff::Timestamp;

/// How serious; syslog's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Stdout,
    Stderr,
    /// Records that the component sent to the listener of its job.
    Gelf,
    /// Longshore itself.
    Runner,
}

/// One thing that happened or was said. Holds no secret: only the redactor's output gets here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Order within the job, from 0.
    pub sequence: u64,
    pub time: Timestamp,
    pub level: Level,
    pub source: Source,
    pub message: String,
    /// What else a structured record held: a JSON object, bounded.
    pub fields: Option<String>,
}

impl Level {
    pub(crate) const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

impl Source {
    pub(crate) const ALL: [Self; 4] = [Self::Stdout, Self::Stderr, Self::Gelf, Self::Runner];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Gelf => "gelf",
            Self::Runner => "runner",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}
