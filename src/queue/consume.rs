//! Consuming for as long as a worker lives: sessions, one after the other.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backoff::pause;
use super::delivery::Desk;
use super::lanes::Lanes;
use super::link::Link;
use super::topology::Names;
use super::{Delivery, Publisher, QueueError, QueueOptions};

/// How long the end waits for answers to messages that were handed over.
const LAST_ANSWERS_LIMIT: Duration = Duration::from_secs(5);

/// How the connection to the broker is, for health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Connection {
    Connecting { since_failures: u32, last_error: String },
    Up,
}

/// Consumes all lanes until `stop` or until nobody receives, reconnecting with backoff; messages that were handed over
/// in vain are delivered again. Never more than `prefetch` of a lane unanswered. The end waits some seconds for answers
/// to what was handed over, as long as somebody holds it, and gives back the rest. Returns when the consumers are
/// cancelled and the connection closed.
pub(crate) async fn consume(
    options: &QueueOptions,
    prefetch: u16,
    deliveries: mpsc::Sender<Delivery>,
    state: &watch::Sender<Connection>,
    stop: &CancellationToken,
) {
    let publisher = Publisher::new(options.clone());
    let intake = Intake { options, prefetch, deliveries, state, stop, publisher };
    let mut failures = 0;
    while let Err(error) = intake.session().await {
        // A session that had begun is a new start.
        failures = if *state.borrow() == Connection::Up { 1 } else { failures + 1 };
        let last_error = crate::failure::chain(&error);
        tracing::warn!(failures, error = %last_error, "the broker cannot be reached or the session broke");
        state.send_replace(Connection::Connecting { since_failures: failures, last_error });
        if stop.run_until_cancelled(tokio::time::sleep(pause(failures))).await.is_none() {
            break;
        }
    }
    intake.publisher.close().await;
}

struct Intake<'a> {
    options: &'a QueueOptions,
    prefetch: u16,
    deliveries: mpsc::Sender<Delivery>,
    state: &'a watch::Sender<Connection>,
    stop: &'a CancellationToken,
    /// For what is refused; not the session's connection, which a broker short of memory would block with its answers.
    publisher: Publisher,
}

impl Intake<'_> {
    /// One connection from its beginning to its end; `Ok` is an end that was asked for.
    async fn session(&self) -> Result<(), QueueError> {
        let names = Names::of(self.options);
        let opening = async {
            let link = Link::open(self.options, "intake").await?;
            let lanes = Lanes::open(&link, names, self.prefetch).await?;
            Ok::<_, QueueError>((link, lanes))
        };
        let Some(opened) = self.stop.run_until_cancelled(opening).await else {
            return Ok(());
        };
        let (link, mut lanes) = opened?;
        self.state.send_replace(Connection::Up);
        let pending = TaskTracker::new();
        let desk = Desk { dead: names.dead()?, publisher: self.publisher.clone(), pending: pending.clone() };
        tokio::select! {
            ended = lanes.forward(&desk, &self.deliveries, self.stop) => ended?,
            error = link.watch() => return Err(error),
        }
        // Whatever goes wrong now, the broker gives the messages to somebody else.
        if lanes.cancel().await.is_ok() {
            pending.close();
            drop(timeout(LAST_ANSWERS_LIMIT, pending.wait()).await);
        }
        link.close().await;
        Ok(())
    }
}
