//! One job under way: load, run, settle, tell. Whatever goes wrong in here, the attempt does not stay ours for ever.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::Instrument;

use super::admission::Berth;
use super::{PAUSE_AFTER_ERROR, Worker, load, tell};
use crate::catalog::{AcceptedRequest, Tally};
use crate::component::Component;
use crate::failure;
use crate::job::{AttemptNumber, Failure, JobId, JobStatus, Phase};
use crate::result::ResultDocument;
use crate::runner::{self, Adoption, HaltReason, NewsItem, RunError, Settled};

/// A claimed attempt.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) job: JobId,
    pub(super) request: AcceptedRequest,
    pub(super) attempt: AttemptNumber,
    pub(super) component: Result<Component, Failure>,
    /// The container of a worker that died.
    pub(super) adoption: Option<Adoption>,
    pub(super) berth: Berth,
}

/// Runs a claimed attempt to its end.
pub(super) async fn work(worker: Arc<Worker>, work: Work) {
    let (job, attempt) = (work.job, work.attempt);
    let span = tracing::info_span!("job", job.id = %job, job.attempt = attempt.0);
    let running = async {
        tell::state_changed(&worker, &work.request.component, job, JobStatus::Processing).await;
        let component = work.request.component.clone();
        let ended = AssertUnwindSafe(perform(&worker, work)).catch_unwind().await;
        match ended {
            Ok(Ok(Settled::Ended(document))) => {
                tracing::info!(status = document.status, "the job has ended");
                count_end(&worker, &document);
                tell::tell_of_end(&worker, job).await;
            }
            Ok(Ok(Settled::PutBack(why))) => {
                worker.meters.attempt_put_back(why.code);
                tracing::warn!(code = why.code.as_str(), detail = why.detail, "the job is tried again later");
                tell::state_changed(&worker, &component, job, JobStatus::Waiting).await;
            }
            Ok(Ok(Settled::Lost)) => tracing::warn!("the job is another worker's now; nothing was published"),
            Ok(Err(RunError::Catalog(error))) => {
                tracing::error!(error = %failure::chain(&error), "the catalog failed the job");
                give_up(&worker, job, attempt, failure::of_catalog(&error)).await;
            }
            Err(_panic) => {
                tracing::error!("the job broke down within the worker");
                give_up(&worker, job, attempt, failure::of_panic()).await;
            }
        }
    };
    running.instrument(span).await;
    // A place is free, and the next job of the configuration may be claimed.
    worker.desk.bell.notify_one();
}

async fn perform(worker: &Worker, work: Work) -> Result<Settled, RunError> {
    let runner = &worker.runner;
    let Work { job, request, attempt, component, adoption, berth } = work;
    let (component_id, configuration) = (request.component.clone(), request.configuration.clone());
    let refuse = async |failure: Failure| {
        runner::refuse(runner, job, attempt, &component_id, configuration.as_ref(), failure).await
    };
    let loaded = match component {
        Ok(component) => load::order(job, &request, component, &runner.catalog).await?,
        Err(failure) => Err(failure),
    };
    let order = match loaded {
        Ok(order) => order,
        Err(failure) => return refuse(failure).await,
    };
    let (news, mut items) = runner::channel();
    let story = async {
        let settled = match adoption {
            None => runner::run(runner, &order, attempt, &news, &berth.halt).await,
            Some(adoption) => runner::adopt(runner, &order, adoption, &news, &berth.halt).await,
        };
        drop(news);
        settled
    };
    let mut trace = worker.traces.job(job, attempt, &component_id, configuration.as_ref());
    let listening = async {
        while let Some(item) = items.recv().await {
            if let NewsItem::Phase(phase) = item {
                tracing::info!(phase = phase.as_str(), "phase");
                trace.enter(phase);
            }
        }
    };
    let (settled, ()) = tokio::join!(story, listening);
    match &settled {
        Ok(Settled::Ended(document)) => {
            let status = JobStatus::parse(&document.status).unwrap_or(JobStatus::Error);
            trace.end(status, document.failure_code());
        }
        Ok(Settled::PutBack(why)) => trace.end(JobStatus::Waiting, Some(why.code)),
        // Whoever has the attempt now traces it.
        Ok(Settled::Lost) | Err(_) => drop(trace),
    }
    settled
}

fn count_end(worker: &Worker, document: &ResultDocument) {
    let meters = &worker.meters;
    if let Some(status) = JobStatus::parse(&document.status) {
        meters.job_ended(status, document.failure_code());
    }
    for part in &document.phases {
        if let Some(phase) = Phase::parse(&part.phase) {
            meters.phase(phase, Duration::from_secs_f64(part.milliseconds / 1000.0));
        }
    }
    meters.bytes(document.usage.input_bytes, document.usage.output_bytes);
}

/// Puts an attempt back that came to no end, however long the catalog takes to answer: while our heart beats nobody
/// else would.
async fn give_up(worker: &Worker, job: JobId, attempt: AttemptNumber, why: Failure) {
    let after = worker.runner.options.retry_delay.after(attempt);
    while let Err(error) = worker.runner.catalog.put_back(job, attempt, &why, after, Tally::Counted).await {
        tracing::error!(%error, "the job cannot be put back yet");
        tokio::time::sleep(PAUSE_AFTER_ERROR.max(Duration::from_millis(100))).await;
    }
}

/// Stops a job for one of the catalog's reasons.
pub(super) fn halt(halt: &runner::Halt, is_cancel_asked: bool) {
    halt.stop(if is_cancel_asked { HaltReason::Asked } else { HaltReason::Lost });
}
