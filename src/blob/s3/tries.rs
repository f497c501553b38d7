//! How long trouble is tried again, and how long to wait between two tries.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One piece of work that is tried until patience is over, counted from its first trouble since it last went on.
#[derive(Debug)]
pub(super) struct Tries {
    patience: Duration,
    since: Option<Instant>,
    in_a_row: u32,
    /// All there were.
    pub(super) made: u32,
}

impl Tries {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, since: None, in_a_row: 0, made: 0 }
    }

    /// A part of the work was done: patience begins anew.
    pub(super) fn went_on(&mut self) {
        (self.since, self.in_a_row) = (None, 0);
    }

    /// After a try that failed: waits, and says whether there is patience for another.
    pub(super) async fn again(&mut self) -> bool {
        self.made += 1;
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let left = (since + self.patience).saturating_duration_since(now);
        if left.is_zero() {
            return false;
        }
        let longest = LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1 << self.in_a_row.min(10)));
        self.in_a_row += 1;
        // The last try is made when patience ends, not a pause later.
        tokio::time::sleep(part_of(longest).min(left)).await;
        true
    }
}

/// A random part, a tenth at least, so that those who failed together do not come back together.
fn part_of(longest: Duration) -> Duration {
    // Every RandomState has fresh keys: randomness enough for this.
    let dice = u32::try_from(RandomState::new().build_hasher().finish() % 900).unwrap_or(0);
    longest * (dice + 100) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn patience_counts_from_the_first_trouble_since_it_went_on() {
        let mut tries = Tries::new(Duration::from_millis(50));
        while tries.again().await {}
        assert!(!tries.again().await);
        tries.went_on();
        assert!(tries.again().await);
    }
}
