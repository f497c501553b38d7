//! Two steps of leaving: first no new jobs, then no waiting for those under way.

use tokio_util::sync::CancellationToken;

/// Both are told from outside, the second only after the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopSignals {
    /// Take no more jobs; leave when the last one has ended.
    pub(crate) drain: CancellationToken,
    /// Stop what runs: other workers will do it again.
    pub(crate) hurry: CancellationToken,
}
