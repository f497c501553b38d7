//! What one run may use, limit by limit: how each is called, read and told.

use std::time::Duration;

use super::document::{Fields, Item, Place};
use super::quantity::{bytes_words, parse_bytes, parse_duration};

/// The engine refuses less.
const MEMORY_BYTES_MIN: u64 = 6 << 20;
const CPUS_MIN: f64 = 0.01;
const CPUS_MAX: f64 = 1024.0;
/// Processors are counted in billionths, as the engine counts them.
const NANOS_IN_CPU: u64 = 1_000_000_000;

/// What one run of a component may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory and swap together: there is no swap beyond it.
    pub memory_bytes: u64,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Processes and threads.
    pub pids: u64,
    /// What a run may add to its data folder and, apart from that, write over its image's files.
    pub disk_bytes: u64,
    /// From start to exit.
    pub timeout: Duration,
    /// Size of `/tmp`.
    pub tmp_bytes: u64,
}

/// The limits, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitKind {
    Memory,
    Cpus,
    Pids,
    Disk,
    Timeout,
    Tmp,
}

impl LimitKind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Memory, Self::Cpus, Self::Pids, Self::Disk, Self::Timeout, Self::Tmp];

    /// The key of specs and settings.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpus => "cpus",
            Self::Pids => "pids",
            Self::Disk => "disk",
            Self::Timeout => "timeout",
            Self::Tmp => "tmp",
        }
    }

    /// What messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory limit",
            Self::Cpus => "processor limit",
            Self::Pids => "process limit",
            Self::Disk => "disk limit",
            Self::Timeout => "time limit",
            Self::Tmp => "limit of /tmp",
        }
    }

    /// An amount for people. Amounts are bytes, billionths of a processor, processes or seconds, as the kind has it.
    pub(crate) fn words(self, amount: u64) -> String {
        match self {
            Self::Memory | Self::Disk | Self::Tmp => bytes_words(amount),
            Self::Cpus if amount == NANOS_IN_CPU => "1 processor".to_owned(),
            Self::Cpus => format!("{} processors", processors(amount)),
            Self::Pids if amount == 1 => "1 process".to_owned(),
            Self::Pids => format!("{amount} processes"),
            Self::Timeout => format!("{amount} s"),
        }
    }

    /// An amount as a document has it; a wrong one leaves a complaint.
    fn read(self, item: &Item<'_>) -> Option<u64> {
        match self {
            Self::Memory => read_bytes(item, MEMORY_BYTES_MIN),
            Self::Disk | Self::Tmp => read_bytes(item, 1),
            Self::Cpus => read_nano_cpus(item),
            Self::Pids => read_positive(item),
            Self::Timeout => read_timeout(item).map(|timeout| timeout.as_secs()),
        }
    }
}

/// What documents and people are told of billionths.
pub(crate) fn processors(nano_cpus: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 1024 billion")]
    let processors = nano_cpus as f64 / NANOS_IN_CPU as f64;
    processors
}

impl Limits {
    pub(crate) fn amount(&self, kind: LimitKind) -> u64 {
        match kind {
            LimitKind::Memory => self.memory_bytes,
            LimitKind::Cpus => u64::try_from(self.nano_cpus).unwrap_or(0),
            LimitKind::Pids => self.pids,
            LimitKind::Disk => self.disk_bytes,
            LimitKind::Timeout => self.timeout.as_secs(),
            LimitKind::Tmp => self.tmp_bytes,
        }
    }

    pub(super) fn set(&mut self, kind: LimitKind, amount: u64) {
        match kind {
            LimitKind::Memory => self.memory_bytes = amount,
            LimitKind::Cpus => self.nano_cpus = i64::try_from(amount).unwrap_or(i64::MAX),
            LimitKind::Pids => self.pids = amount,
            LimitKind::Disk => self.disk_bytes = amount,
            LimitKind::Timeout => self.timeout = Duration::from_secs(amount),
            LimitKind::Tmp => self.tmp_bytes = amount,
        }
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        let mut largest = self;
        for kind in LimitKind::ALL {
            largest.set(kind, self.amount(kind).max(other.amount(kind)));
        }
        largest
    }
}

/// The limits that a document says itself, each with its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SaidLimits([Option<(u64, Place)>; 6]);

impl SaidLimits {
    /// Reads the keys of all limits. One that is wrong counts as not said and leaves a complaint.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self(LimitKind::ALL.map(|kind| {
            let item = fields.get(kind.key())?;
            Some((kind.read(&item)?, item.node.place))
        }))
    }

    /// The amount and where it is said.
    pub(crate) fn get(&self, kind: LimitKind) -> Option<(u64, Place)> {
        let [memory, cpus, pids, disk, timeout, tmp] = self.0;
        match kind {
            LimitKind::Memory => memory,
            LimitKind::Cpus => cpus,
            LimitKind::Pids => pids,
            LimitKind::Disk => disk,
            LimitKind::Timeout => timeout,
            LimitKind::Tmp => tmp,
        }
    }
}

fn read_bytes(item: &Item<'_>, least: u64) -> Option<u64> {
    let bytes = item.amount(parse_bytes)?;
    if bytes < least {
        item.complain(format!("at least {least} bytes are needed"));
        return None;
    }
    Some(bytes)
}

pub(crate) fn read_positive(item: &Item<'_>) -> Option<u64> {
    let number = item.whole()?;
    if number == 0 {
        item.complain("must be at least 1");
        return None;
    }
    Some(number)
}

/// A duration longer than nothing.
pub(crate) fn read_timeout(item: &Item<'_>) -> Option<Duration> {
    let timeout = item.amount(parse_duration)?;
    if timeout.is_zero() {
        item.complain("must be longer than 0s");
        return None;
    }
    Some(timeout)
}

fn read_nano_cpus(item: &Item<'_>) -> Option<u64> {
    let cpus = item.decimal()?;
    if !(CPUS_MIN..=CPUS_MAX).contains(&cpus) {
        item.complain(format!("must be a number of processors from {CPUS_MIN} to {CPUS_MAX}"));
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and at most 1024 billion, checked above"
    )]
    let nano_cpus = (cpus * 1e9).round() as u64;
    Some(nano_cpus)
}
