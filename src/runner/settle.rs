//! The end of an attempt: the job has ended, waits for its next attempt, or is somebody else's.

use super::halt::HaltReason;
use super::record::{Record, end_of};
use super::{Job, RunError, Runner};
use crate::catalog::{PutBack, Tally};
use crate::failure;
use crate::job::{AttemptNumber, ComponentId, ConfigurationId, Failure, JobId, Outcome, RunMode};
use crate::result::{ComponentPart, ConfigurationPart, ResultDocument};

/// What became of a job in one attempt.
#[derive(Debug)]
pub(crate) enum Settled {
    Ended(Box<ResultDocument>),
    /// Trouble of the platform, or a worker that leaves: it will be tried again.
    PutBack(Failure),
    /// The attempt was taken over: nothing of it was published, and nothing of it is recorded.
    Lost,
}

impl Job<'_> {
    /// Ends the job, where the last commit has not done so, or puts it back.
    pub(super) async fn settle(&self, mut record: Record<'_>, outcome: Outcome) -> Result<Settled, RunError> {
        if record.is_ended {
            return Ok(record.conclude(&outcome).await?);
        }
        let (catalog, attempt) = (&self.runner.catalog, self.attempt);
        let put_back = async |failure: &Failure, after, tally| {
            catalog.put_back(self.order.job, attempt, failure, after, tally).await
        };
        let is_stopped = matches!(outcome, Outcome::Terminated { .. } | Outcome::Cancelled);
        match (self.halt.reason(), &outcome) {
            (Some(HaltReason::Lost), _) => Ok(Settled::Lost),
            (Some(HaltReason::Leaving), _) if is_stopped => {
                let failure = failure::worker_left();
                Ok(match put_back(&failure, std::time::Duration::ZERO, Tally::Free).await? {
                    PutBack::Waiting => Settled::PutBack(failure),
                    PutBack::Ended => record.conclude(&Outcome::Failed(failure)).await?,
                    PutBack::NotCurrent => Settled::Lost,
                })
            }
            (_, Outcome::Failed(failure)) if failure.code.is_retryable() => {
                let after = self.runner.options.retry_delay.after(attempt);
                Ok(match put_back(failure, after, Tally::Counted).await? {
                    PutBack::Waiting => Settled::PutBack(failure.clone()),
                    PutBack::Ended => record.conclude(&outcome).await?,
                    PutBack::NotCurrent => Settled::Lost,
                })
            }
            (_, _) => {
                if record.end(&end_of(&outcome)).await? {
                    Ok(record.conclude(&outcome).await?)
                } else {
                    Ok(Settled::Lost)
                }
            }
        }
    }
}

/// Ends a job that cannot even be read: its component or configuration is not there, or makes no sense.
pub(crate) async fn refuse(
    runner: &Runner,
    job: JobId,
    attempt: AttemptNumber,
    component: &ComponentId,
    configuration: Option<&ConfigurationId>,
    failure: Failure,
) -> Result<Settled, RunError> {
    let component = ComponentPart { id: component.to_string(), spec_sha256: String::new() };
    let configuration =
        ConfigurationPart { id: configuration.map(ToString::to_string), sha256: String::new() };
    let mut document = ResultDocument::begin(job, attempt, RunMode::Run, component, configuration);
    let outcome = Outcome::Failed(failure);
    document.conclude(&outcome);
    let text = document.to_json();
    let ended = runner.catalog.end_job(job, attempt, &end_of(&outcome), Some(&text)).await?;
    Ok(if ended { Settled::Ended(Box::new(document)) } else { Settled::Lost })
}
