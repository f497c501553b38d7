//! Moving a job by other means than its own end: putting an attempt back to wait for the next one, calling a job off.

use std::time::Duration;

use sqlx::AnyConnection;

use crate::job::{AttemptNumber, Failure, FailureCode, JobEnd, JobId, JobStatus};

use super::again::Try;
use super::error::doing;
use super::jobs::{close, end_attempt};
use super::rows::{count, flag, named, optional_text, stored_now, text};
use super::{Catalog, CatalogError};

/// What became of an attempt whose worker is gone, or that ended with trouble of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutBack {
    /// It waits for its next attempt.
    Waiting,
    /// It had all its attempts, or was to be cancelled: ended.
    Ended,
    /// The attempt was not current any more: nothing was changed.
    NotCurrent,
}

/// Whether an attempt that is put back uses up one of those that its job may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tally {
    Counted,
    /// It was no one's fault: its worker was told to leave.
    Free,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelAnswer {
    /// It was waiting and never will run: cancelled, or terminated when an earlier attempt had begun.
    Cancelled,
    /// It runs; its worker will stop it.
    Asked,
    AlreadyDone,
}

impl Catalog {
    /// Puts an attempt back to wait for the next one, not before `after` from now; where the job has had all its
    /// attempts it ends as an error with this failure, and where it was to be cancelled it ends as terminated.
    /// Works for attempts of lost workers too.
    ///
    /// After a lost answer the record tells what this call did; when the job has gone on since, it is
    /// [`PutBack::NotCurrent`].
    pub(crate) async fn put_back(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        failure: &Failure,
        after: Duration,
        tally: Tally,
    ) -> Result<PutBack, CatalogError> {
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            let answer = put_back(&mut transaction, (job, attempt), failure, after, tally).await?;
            if answer == PutBack::NotCurrent && turn.is_again() {
                return settle(&mut transaction, job, attempt, failure).await;
            }
            transaction.commit().await.map_err(doing(format!("put back job {job}")))?;
            Ok(answer)
        })
        .await
    }

    /// Cancels a job that waits; asks the worker of one that runs. A job that does not exist is an error. Asked twice
    /// it is cancelled once.
    pub(crate) async fn cancel_job(&self, job: JobId) -> Result<CancelAnswer, CatalogError> {
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            let answer = cancel(&mut transaction, job, turn).await?;
            transaction.commit().await.map_err(doing(format!("cancel job {job}")))?;
            Ok(answer)
        })
        .await
    }
}

async fn put_back(
    connection: &mut AnyConnection,
    (job, attempt): (JobId, AttemptNumber),
    failure: &Failure,
    after: Duration,
    tally: Tally,
) -> Result<PutBack, CatalogError> {
    let action = || doing(format!("put back job {job}"));
    let counts = tally == Tally::Counted;
    let row = sqlx::query(
        "UPDATE jobs SET attempts_used = attempts_used + $1
         WHERE id = $2 AND attempt = $3 AND status = 'processing'
         RETURNING attempts_used, attempts_max, is_cancel_asked",
    )
    .bind(i64::from(counts))
    .bind(job.to_string())
    .bind(i64::from(attempt.0))
    .fetch_optional(&mut *connection)
    .await
    .map_err(action())?;
    let Some(row) = row else { return Ok(PutBack::NotCurrent) };
    let has_had_all = counts && count(&row, "attempts_used")? >= count(&row, "attempts_max")?;
    let end = if flag(&row, "is_cancel_asked")? {
        Some(JobEnd { status: JobStatus::Terminated, code: None, message: "terminated".to_owned() })
    } else if has_had_all {
        let message = failure.message.clone();
        Some(JobEnd { status: JobStatus::Error, code: Some(failure.code), message })
    } else {
        None
    };
    if let Some(end) = end {
        close(connection, job, attempt, &end, None).await?;
        return Ok(PutBack::Ended);
    }
    let now = stored_now();
    let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
    sqlx::query("UPDATE jobs SET status = 'waiting', not_before = $1 WHERE id = $2")
        .bind(now.saturating_add(after))
        .bind(job.to_string())
        .execute(&mut *connection)
        .await
        .map_err(action())?;
    end_attempt(connection, job, attempt, now).await?;
    Ok(PutBack::Waiting)
}

/// What an earlier try has done, by the record.
async fn settle(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
    failure: &Failure,
) -> Result<PutBack, CatalogError> {
    let row = sqlx::query("SELECT status, code, message FROM jobs WHERE id = $1 AND attempt = $2")
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
        .fetch_optional(connection)
        .await
        .map_err(doing(format!("find out whether job {job} was put back")))?;
    let Some(row) = row else { return Ok(PutBack::NotCurrent) };
    Ok(match named(&row, "status", JobStatus::parse)? {
        JobStatus::Waiting => PutBack::Waiting,
        JobStatus::Terminated => PutBack::Ended,
        JobStatus::Error
            if optional_text(&row, "code")?.as_deref() == Some(FailureCode::as_str(failure.code))
                && text(&row, "message")? == super::rows::stored_text(&failure.message) =>
        {
            PutBack::Ended
        }
        JobStatus::Processing
        | JobStatus::Success
        | JobStatus::Warning
        | JobStatus::Error
        | JobStatus::Cancelled => PutBack::NotCurrent,
    })
}

async fn cancel(connection: &mut AnyConnection, job: JobId, turn: Try) -> Result<CancelAnswer, CatalogError> {
    let action = || doing(format!("cancel job {job}"));
    // One statement finds out and holds the line, so that the job cannot move between the two.
    let open = sqlx::query(
        "UPDATE jobs SET is_cancel_asked = 1 WHERE id = $1 AND ended IS NULL RETURNING status, attempt",
    )
    .bind(job.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(action())?;
    let Some(open) = open else {
        let row = sqlx::query("SELECT status FROM jobs WHERE id = $1")
            .bind(job.to_string())
            .fetch_optional(connection)
            .await
            .map_err(action())?;
        let row = row.ok_or(CatalogError::NoSuchJob { job })?;
        let is_cancelled = named(&row, "status", JobStatus::parse)? == JobStatus::Cancelled;
        let was_ours = turn.is_again() && is_cancelled;
        return Ok(if was_ours { CancelAnswer::Cancelled } else { CancelAnswer::AlreadyDone });
    };
    if named(&open, "status", JobStatus::parse)? == JobStatus::Processing {
        return Ok(CancelAnswer::Asked);
    }
    let (status, message) = if count(&open, "attempt")? == 0 {
        (JobStatus::Cancelled, "cancelled before it began")
    } else {
        (JobStatus::Terminated, "cancelled while it waited for its next attempt")
    };
    sqlx::query("UPDATE jobs SET status = $1, message = $2, ended = $3 WHERE id = $4")
        .bind(status.as_str())
        .bind(message)
        .bind(stored_now())
        .bind(job.to_string())
        .execute(connection)
        .await
        .map_err(action())?;
    Ok(CancelAnswer::Cancelled)
}
