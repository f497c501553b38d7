//! A lost connection is survived: what the catalog is asked is asked again as a whole, for a while. That is safe where
//! doing it twice is doing it once; each method that writes says why it is, or settles what an earlier try has done.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use super::{Catalog, CatalogError, CommitError};

/// The first pause; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// Longer than any statement may take on the server: without an answer by then, the network has swallowed it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// Errors of which some pass by themselves.
pub(super) trait MayPass {
    /// Whether the same may go well soon: the connection was lost, or somebody else was in the way.
    fn may_pass(&self) -> bool;
    fn no_answer() -> Self;
}

impl MayPass for CatalogError {
    fn may_pass(&self) -> bool {
        self.is_passing()
    }

    fn no_answer() -> Self {
        Self::NoAnswer { seconds: ANSWER_TIMEOUT.as_secs() }
    }
}

impl MayPass for CommitError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Catalog(error) => error.is_passing(),
            Self::HeadMoved { .. } | Self::FenceLost { .. } => false,
        }
    }

    fn no_answer() -> Self {
        Self::Catalog(CatalogError::no_answer())
    }
}

/// Whether an earlier try of the same call may have done its work, without our having heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Again,
}

impl Try {
    pub(super) fn is_again(self) -> bool {
        self == Self::Again
    }
}

impl Catalog {
    /// Does it, and again while it fails by what passes and patience lasts.
    pub(super) async fn insist<T, E, F>(&self, action: impl Fn(Try) -> F) -> Result<T, E>
    where
        E: MayPass + std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let Some(patience) = self.patience else {
            return action(Try::First).await;
        };
        let mut turn = Try::First;
        let mut pause = PAUSE_FIRST;
        let mut failing_since = None;
        loop {
            let answered = tokio::time::timeout(ANSWER_TIMEOUT, action(turn)).await;
            let error = match answered {
                Ok(Err(error)) if error.may_pass() => error,
                Ok(ended) => return ended,
                Err(_elapsed) => {
                    self.distrust_connections();
                    E::no_answer()
                }
            };
            let since = *failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() + pause > patience {
                return Err(error);
            }
            tracing::debug!(%error, "the catalog is asked again");
            tokio::time::sleep(jittered(pause)).await;
            pause = PAUSE_MAX.min(pause * 2);
            turn = Try::Again;
        }
    }
}

/// Between half and all of it, so that those who lost their connections together do not come back together.
fn jittered(pause: Duration) -> Duration {
    // Every RandomState has fresh keys: randomness enough for this.
    let dice = u8::try_from(RandomState::new().build_hasher().finish() % 100).unwrap_or(0);
    pause / 2 + pause.mul_f64(f64::from(dice) / 200.0)
}
