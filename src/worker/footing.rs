//! Whether a job that is claimed now could begin: an engine or a store that is away would only use up its attempts.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Worker;
use crate::failure;

/// A part that takes longer than this to answer cannot be counted on.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// A store that answered is not asked again for so long: its calls may cost money.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// What is known of the parts that every job needs.
#[derive(Debug, Default)]
pub(super) struct Footing {
    store_answered: Option<Instant>,
    is_lost: bool,
}

impl Footing {
    /// Asks the engine and the store. That they are away is said once, and that they are back.
    pub(super) async fn is_firm(&mut self, worker: &Worker) -> bool {
        let missing = self.missing(worker).await;
        if let Some(why) = &missing
            && !self.is_lost
        {
            tracing::warn!(why, "no jobs are taken until it is back");
        }
        if missing.is_none() && self.is_lost {
            tracing::info!("engine and store answer again; jobs are taken");
        }
        self.is_lost = missing.is_some();
        !self.is_lost
    }

    async fn missing(&mut self, worker: &Worker) -> Option<String> {
        let asked = timeout(ANSWER_LIMIT, async { worker.runner.engine().await?.ping().await });
        match asked.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Some(failure::chain(&error)),
            Err(_elapsed) => return Some("the engine does not answer".to_owned()),
        }
        if self.store_answered.is_some_and(|when| when.elapsed() < TRUSTED_FOR) {
            return None;
        }
        self.store_answered = None;
        match timeout(ANSWER_LIMIT, worker.runner.blobs.check()).await {
            Ok(Ok(())) => {
                self.store_answered = Some(Instant::now());
                None
            }
            Ok(Err(error)) => Some(failure::chain(&error)),
            Err(_elapsed) => Some("the blob store does not answer".to_owned()),
        }
    }
}
