//! Tells the world how jobs fare: replies and events on the broker. Losing any of it loses no data,
//! so trouble here is never a job's. Who was told of an end is recorded, so that an end is told at least once.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{PAUSE_AFTER_ERROR, Worker};
use crate::catalog::{CatalogError, Untold};
use crate::job::{ComponentId, JobId, JobStatus};
use crate::queue::{Publisher, QueueError};
use crate::result::{RecordedError, recorded};

/// An end that its own worker has not told of by then is told by any other.
const LATE: Duration = Duration::from_secs(10);
/// Between two looks for ends that nobody told of.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
const TOLD_AT_ONCE_MAX: u64 = 100;

#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Document(#[from] RecordedError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// A job went on, or back: to the topic exchange only.
pub(super) async fn state_changed(worker: &Worker, component: &ComponentId, job: JobId, status: JobStatus) {
    let Some(publisher) = &worker.publisher else { return };
    let state = status.as_str();
    let body = json!({ "job": job.to_string(), "component": component.as_str(), "state": state });
    if let Err(error) = publisher.event(component.as_str(), state, body.to_string().into_bytes()).await {
        tracing::warn!(%error, state, "nobody was told of the job's state");
    }
}

/// The end of a job of our own.
pub(super) async fn tell_of_end(worker: &Worker, job: JobId) {
    let Some(publisher) = &worker.publisher else { return };
    let told = async {
        let untold = worker.runner.catalog.untold_job(job).await?;
        match untold {
            Some(untold) => tell(worker, publisher, &untold).await,
            None => Ok(()),
        }
    };
    if let Err(error) = told.await {
        tracing::warn!(error = %crate::failure::chain(&error), "nobody was told of the job's end yet");
    }
}

/// Looks now and then for ends that nobody was told of: their worker died, or the broker was away.
pub(super) async fn tell_of_ends(worker: &Worker, stop: &CancellationToken) {
    let Some(publisher) = &worker.publisher else { return };
    while !stop.is_cancelled() {
        let pause = match tell_late(worker, publisher).await {
            Ok(()) => LOOK_INTERVAL,
            Err(error) => {
                tracing::warn!(error = %crate::failure::chain(&error), "ends of jobs are not told of yet");
                LOOK_INTERVAL.max(PAUSE_AFTER_ERROR)
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

async fn tell_late(worker: &Worker, publisher: &Publisher) -> Result<(), TellError> {
    for untold in worker.runner.catalog.untold_jobs(LATE, TOLD_AT_ONCE_MAX).await? {
        match tell(worker, publisher, &untold).await {
            // Somebody's full queue; others wait for other queues.
            Err(TellError::Queue(error)) if error.is_of_the_message() => {
                tracing::warn!(job.id = %untold.job, %error, "the reply is not taken, and is sent again later");
            }
            told => told?,
        }
    }
    Ok(())
}

async fn tell(worker: &Worker, publisher: &Publisher, untold: &Untold) -> Result<(), TellError> {
    let catalog = &worker.runner.catalog;
    let Some(record) = catalog.job(untold.job).await? else { return Ok(()) };
    let status = record.state.status().as_str();
    let body = recorded(catalog, record).await?.to_string().into_bytes();
    let job = untold.job.to_string();
    if let Some(reply) = &untold.reply {
        publisher.reply(&reply.reply_to, reply.correlation_id.as_deref(), &job, body.clone()).await?;
    }
    match publisher.event(untold.component.as_str(), status, body).await {
        // A listener that is too slow must not bring the reply about again and again.
        Err(error) if error.is_of_the_message() => {
            tracing::warn!(job.id = job, %error, status, "the event of the job's end is not taken");
        }
        sent => sent?,
    }
    catalog.mark_told(untold.job).await?;
    Ok(())
}
