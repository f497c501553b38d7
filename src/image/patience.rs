//! How often, and after which pauses, something is tried again.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// The first try included.
    pub(crate) tries_max: u32,
    /// The first pause; each later one is twice as long.
    pub(crate) pause: Duration,
    pub(crate) pause_max: Duration,
}

impl Patience {
    /// The pause after the given number of failed tries; `None`: give up. What the other side asks for is a minimum,
    /// and somebody who asks for more than our longest pause is not waited for.
    pub(super) fn pause_after(&self, tries: u32, asked: Option<Duration>) -> Option<Duration> {
        self.pause_with(tries, asked, fastrand::f64())
    }

    /// `chance` is from 0 to 1: many who were turned away together must not come back together.
    fn pause_with(&self, tries: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
        if tries >= self.tries_max || asked.is_some_and(|asked| asked > self.pause_max) {
            return None;
        }
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let whole = self.pause.saturating_mul(doubled).min(self.pause_max);
        Some(asked.unwrap_or_default() + whole.mul_f64(0.5 + chance / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_with_jitter_up_to_the_longest_and_end() {
        let patience = Patience { tries_max: 5, pause: SECOND, pause_max: SECOND * 3 };
        let pauses = |chance| [1, 2, 3, 4, 5].map(|tries| patience.pause_with(tries, None, chance));
        assert_eq!(pauses(1.0), [Some(SECOND), Some(SECOND * 2), Some(SECOND * 3), Some(SECOND * 3), None]);
        assert_eq!(
            pauses(0.0),
            [Some(SECOND / 2), Some(SECOND), Some(SECOND * 3 / 2), Some(SECOND * 3 / 2), None]
        );
    }

    #[test]
    fn a_pause_is_at_least_what_was_asked_for_and_who_asks_for_too_much_is_left() {
        let patience = Patience { tries_max: 5, pause: SECOND, pause_max: SECOND * 60 };
        assert_eq!(patience.pause_with(1, Some(SECOND * 30), 1.0), Some(SECOND * 31));
        assert_eq!(patience.pause_with(1, Some(SECOND * 61), 1.0), None);
    }
}
