//! Looks now and then whether what a worker needs can be reached, for whoever watches it. Decides nothing.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Worker;
use crate::queue::Connection;
use crate::telemetry::Part;

const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// A part that takes longer than this to answer cannot be counted on.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Looks at catalog, store and engine for ever.
pub(super) async fn watch_parts(worker: &Worker) -> Infallible {
    let (runner, meters) = (&worker.runner, &worker.meters);
    loop {
        let counts = timeout(ANSWER_LIMIT, runner.catalog.job_counts());
        let blobs = timeout(ANSWER_LIMIT, runner.blobs.check());
        let engine = timeout(ANSWER_LIMIT, async {
            match runner.engine().await {
                Ok(engine) => {
                    engine.find_containers("longshore.worker", Some(worker.id().as_str())).await.is_ok()
                }
                Err(_away) => false,
            }
        });
        let (counts, blobs, engine) = tokio::join!(counts, blobs, engine);
        let counts = counts.ok().and_then(Result::ok);
        meters.connection(Part::Catalog, counts.is_some());
        meters.connection(Part::Blobs, matches!(blobs, Ok(Ok(()))));
        meters.connection(Part::Engine, engine.unwrap_or(false));
        if let Some(counts) = counts {
            meters.jobs(counts);
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Passes on how the connection to the broker is.
pub(super) async fn watch_broker(worker: &Worker) -> Infallible {
    let mut broker = worker.broker.subscribe();
    loop {
        let heard = match *broker.borrow_and_update() {
            Connection::Up => Some(true),
            // The first connection is under way: nothing was lost, so its success is no return.
            Connection::Connecting { since_failures: 0, .. } => None,
            Connection::Connecting { .. } => Some(false),
        };
        if let Some(is_up) = heard.filter(|_heard| worker.queue.is_some()) {
            worker.meters.connection(Part::Broker, is_up);
        }
        if broker.changed().await.is_err() {
            // The worker holds the other end, so it is leaving.
            std::future::pending::<()>().await;
        }
    }
}
