//! When a job that failed through no fault of its own is tried again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::job::AttemptNumber;

/// How long to wait between two attempts of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryDelay {
    /// Before the second attempt; doubles from one to the next.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl RetryDelay {
    /// After this attempt; a random quarter less, so that jobs that failed together do not come back together.
    pub(crate) fn after(self, attempt: AttemptNumber) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.0.saturating_sub(1));
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        // Every RandomState has fresh keys: randomness enough for this.
        let dice = RandomState::new().build_hasher().finish() % 1000;
        whole.mul_f64(1.0 - f64::from(u32::try_from(dice).unwrap_or(0)) / 4000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_limit_and_is_never_more() {
        let delay = RetryDelay { first: Duration::from_secs(4), longest: Duration::from_secs(20) };
        for (attempt, whole) in [(1, 4), (2, 8), (3, 16), (4, 20), (40, 20)] {
            let whole = Duration::from_secs(whole);
            let found = delay.after(AttemptNumber(attempt));
            assert!(found <= whole && found >= whole.mul_f64(0.75), "attempt {attempt}: {found:?}");
        }
    }
}
