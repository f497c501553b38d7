//! How a running job is told to stop, and why.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a job is stopped before its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HaltReason {
    /// Somebody called it off: it ends as terminated or cancelled.
    Asked,
    /// The worker is leaving: the job waits for its next attempt.
    Leaving,
    /// The attempt is another worker's now: nothing about it is ours to say.
    Lost,
}

/// Stops one job. The first reason stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt {
    token: CancellationToken,
    reason: Arc<OnceLock<HaltReason>>,
}

impl Halt {
    pub(crate) fn stop(&self, reason: HaltReason) {
        // A second reason changes nothing: the job is stopping already.
        self.reason.get_or_init(|| reason);
        self.token.cancel();
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub(super) fn reason(&self) -> Option<HaltReason> {
        self.reason.get().copied()
    }
}
