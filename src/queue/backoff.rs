//! How long to wait before the next try, so that a fleet of workers does not come back all at once.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

/// After the first failure about a quarter of a second, then twice as long each time up to a quarter of a minute, less
/// up to a half of it by chance.
pub(super) fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    // The standard library's hash keys are the one source of chance we need.
    let chance = RandomState::new().build_hasher().finish() % 1000;
    let less = whole.saturating_mul(u32::try_from(chance).unwrap_or(0)) / 2000;
    whole.saturating_sub(less)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ_by_chance() {
        for (failures, longest) in
            [(0, FIRST), (1, FIRST), (3, FIRST * 4), (40, LONGEST), (u32::MAX, LONGEST)]
        {
            let pauses: Vec<Duration> = (0..50).map(|_try| pause(failures)).collect();
            assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }
}
