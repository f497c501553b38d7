//! Which jobs can be claimed, and claiming one: of several who want a job, one gets it, and no two jobs of one
//! configuration ever run at once.

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::job::{AttemptNumber, JobId, Phase, WorkerId};

use super::accept::{AcceptedRequest, accepted_request};
use super::commit::hold_counter;
use super::error::doing;
use super::jobs::attempt_number;
use super::rows::{parsed, stored_count, stored_now, time};
use super::{Catalog, CatalogError};

/// A job that could be claimed now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WaitingJob {
    pub(crate) id: JobId,
    pub(crate) request: AcceptedRequest,
    /// Since when it waits: accepted, or put back and its time has come.
    pub(crate) since: Timestamp,
    /// Attempts so far.
    pub(crate) attempts: u32,
}

/// When a job can be claimed; `$1` is now. An older one of its configuration goes first, also while that waits for its
/// retry: the later one may build on what it does.
macro_rules! claimable {
    () => {
        "status = 'waiting' AND not_before <= $1 AND NOT EXISTS
            (SELECT 1 FROM jobs o WHERE o.component = jobs.component AND o.configuration = jobs.configuration
             AND o.ended IS NULL AND (o.number < jobs.number OR o.status = 'processing'))"
    };
}
pub(super) use claimable;

/// Names one call that takes an attempt, so that the call finds what it took when the answer was lost. The worker's
/// name does not do: another call of the same worker may have taken the job.
#[derive(Debug)]
pub(super) struct Ticket(String);

impl Ticket {
    pub(super) fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The job's current attempt, if this call took it.
    pub(super) async fn attempt_of(
        &self,
        connection: &mut AnyConnection,
        job: JobId,
    ) -> Result<Option<AttemptNumber>, CatalogError> {
        let row = sqlx::query(
            "SELECT attempts.number FROM jobs JOIN attempts ON attempts.job = jobs.id AND attempts.number = jobs.attempt
             WHERE jobs.id = $1 AND jobs.status = 'processing' AND attempts.ticket = $2",
        )
        .bind(job.to_string())
        .bind(self.as_str())
        .fetch_optional(connection)
        .await
        .map_err(doing(format!("find out whether job {job} was claimed")))?;
        row.map(|row| attempt_number(&row, "number")).transpose()
    }
}

impl Catalog {
    /// The jobs that could be claimed now, the most urgent first: none whose configuration has an older job waiting or
    /// one processing, none whose `not_before` lies ahead.
    pub(crate) async fn waiting_jobs(&self, jobs_max: u64) -> Result<Vec<WaitingJob>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(concat!(
                "SELECT id, component, configuration, configuration_version, request, attempt,
                        CASE WHEN not_before > created THEN not_before ELSE created END AS since
                 FROM jobs WHERE ",
                claimable!(),
                " ORDER BY rank, number LIMIT $2"
            ))
            .bind(stored_now())
            .bind(stored_count(jobs_max))
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the jobs that wait"))?;
            rows.iter().map(waiting_job).collect()
        })
        .await
    }

    /// Takes the next attempt by compare-and-set; `None` when the job cannot be claimed (any more). No two jobs of
    /// one configuration are ever processing. A worker that had not signed on is known by this, so that what it holds
    /// is missed when it dies.
    ///
    /// After a lost answer, the attempt with this call's ticket is the one that it took.
    pub(crate) async fn claim(
        &self,
        job: JobId,
        worker: &WorkerId,
    ) -> Result<Option<AttemptNumber>, CatalogError> {
        let ticket = &Ticket::fresh();
        self.insist(|turn| async move {
            let mut transaction = self.begin_note().await?;
            hold_counter(&mut transaction, "job").await?;
            if turn.is_again()
                && let Some(attempt) = ticket.attempt_of(&mut transaction, job).await?
            {
                return Ok(Some(attempt));
            }
            let Some(attempt) = take_attempt(&mut transaction, job, worker, ticket).await? else {
                let row = sqlx::query("SELECT id FROM jobs WHERE id = $1")
                    .bind(job.to_string())
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(doing(format!("claim job {job}")))?;
                return if row.is_some() { Ok(None) } else { Err(CatalogError::NoSuchJob { job }) };
            };
            super::lease::make_known(&mut transaction, worker).await?;
            transaction.commit().await.map_err(doing(format!("claim job {job}")))?;
            Ok(Some(attempt))
        })
        .await
    }
}

/// Makes the next attempt of a job that can be claimed.
pub(super) async fn take_attempt(
    connection: &mut AnyConnection,
    job: JobId,
    worker: &WorkerId,
    ticket: &Ticket,
) -> Result<Option<AttemptNumber>, CatalogError> {
    let action = || doing(format!("claim job {job}"));
    let now = stored_now();
    let claimed = sqlx::query(concat!(
        "UPDATE jobs SET status = 'processing', attempt = attempt + 1, started = COALESCE(started, $1)
         WHERE id = $2 AND ",
        claimable!(),
        " RETURNING attempt"
    ))
    .bind(now)
    .bind(job.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(action())?;
    let Some(row) = claimed else { return Ok(None) };
    let attempt = attempt_number(&row, "attempt")?;
    sqlx::query(
        "INSERT INTO attempts (job, number, worker, phase, started, ticket) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(job.to_string())
    .bind(i64::from(attempt.0))
    .bind(worker.as_str())
    .bind(Phase::Resolve.as_str())
    .bind(now)
    .bind(ticket.as_str())
    .execute(connection)
    .await
    .map_err(action())?;
    Ok(Some(attempt))
}

fn waiting_job(row: &AnyRow) -> Result<WaitingJob, CatalogError> {
    Ok(WaitingJob {
        id: parsed(row, "id")?,
        request: accepted_request(row)?,
        since: time(row, "since")?,
        attempts: attempt_number(row, "attempt")?.0,
    })
}
