//! What is set for a worker.

use std::time::Duration;

/// What a worker may use of its machine, and how it keeps time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerOptions {
    /// Jobs at once.
    pub(crate) slots: u32,
    /// The sum of memory limits of the jobs that run at once.
    pub(crate) memory_bytes: u64,
    /// The same of processors, in billionths.
    pub(crate) nano_cpus: u64,
    /// The same of disk limits.
    pub(crate) disk_bytes: u64,
    /// Between two heartbeats.
    pub(crate) beat: Duration,
    /// A worker whose beat stood still for so long is lost, and its jobs are taken from it.
    pub(crate) lease: Duration,
    /// How often waiting jobs are looked for when nobody says that there are some.
    pub(crate) poll: Duration,
    /// Attempts of a job in all, where the platform was at fault.
    pub(crate) attempts_max: u32,
    /// Before the second attempt; doubles from one to the next, up to `retry_delay_max`.
    pub(crate) retry_delay: Duration,
    pub(crate) retry_delay_max: Duration,
}
