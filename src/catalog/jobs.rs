//! Jobs and their attempts. Every change of a job compares where it stands, so that only one of two writers moves it.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::blob::BlobKey;
use crate::job::{AttemptNumber, FailureCode, JobEnd, JobId, JobState, JobStatus, Phase};

use super::error::doing;
use super::rows::{
    count, named, optional_blob_key, optional_parsed, optional_text, optional_time, parsed, stored_count,
    stored_now, stored_text, time,
};
use super::{Catalog, CatalogError, JobRecord, OpenAttempt};

/// Job records by some condition.
macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT jobs.id, jobs.component, jobs.configuration, jobs.status, jobs.created, jobs.started, jobs.ended,
                    jobs.code, jobs.message, jobs.result, jobs.log, jobs.attempt,
                    attempts.worker, attempts.phase, attempts.started AS since
             FROM jobs LEFT JOIN attempts ON attempts.job = jobs.id AND attempts.number = jobs.attempt ",
            $rest
        )
    };
}

/// While attempt `$2` of job `$1` holds it and may end it: it is the current one, its worker was not declared lost, and
/// is `$3` (when that is not empty: an attempt that was taken over keeps its number).
macro_rules! held {
    () => {
        "id = $1 AND attempt = $2 AND status = 'processing' AND EXISTS
            (SELECT 1 FROM attempts a WHERE a.job = jobs.id AND a.number = jobs.attempt AND a.is_lost = 0
             AND ($3 = '' OR a.worker = $3))"
    };
}

impl Catalog {
    /// Where the attempt is, what the result document says so far; `None` leaves what is recorded. False: the fence is
    /// lost. Said twice it is said once.
    pub(crate) async fn progress(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        phase: Phase,
        data_folder: Option<&str>,
        result: Option<&str>,
    ) -> Result<bool, CatalogError> {
        let action = || doing(format!("record the progress of job {job}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            let held = sqlx::query(concat!(
                "UPDATE jobs SET result = COALESCE($4, result) WHERE ",
                held!()
            ))
            .bind(job.to_string())
            .bind(i64::from(attempt.0))
            .bind(self.acting())
            .bind(result.map(stored_text))
            .execute(&mut *transaction)
            .await
            .map_err(action())?;
            if held.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(
                "UPDATE attempts SET phase = $1, data_folder = COALESCE($2, data_folder) WHERE job = $3 AND number = $4",
            )
            .bind(phase.as_str())
            .bind(data_folder.map(stored_text))
            .bind(job.to_string())
            .bind(i64::from(attempt.0))
            .execute(&mut *transaction)
            .await
            .map_err(action())?;
            transaction.commit().await.map_err(action())?;
            Ok(true)
        })
        .await
    }

    /// Where the complete log of an attempt lies, as soon as it is stored: whoever sees the job's end finds it there. False:
    /// the fence is lost. Said twice it is said once.
    pub(crate) async fn keep_log(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        log: &BlobKey,
    ) -> Result<bool, CatalogError> {
        let action = || doing(format!("record the log of job {job}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            let kept = sqlx::query(concat!("UPDATE jobs SET log = $4 WHERE ", held!()))
                .bind(job.to_string())
                .bind(i64::from(attempt.0))
                .bind(self.acting())
                .bind(log.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            transaction.commit().await.map_err(action())?;
            Ok(kept.rows_affected() > 0)
        })
        .await
    }

    /// Ends a job without publishing anything (failed, terminated, cancelled). False: the fence is lost or it had ended.
    ///
    /// After a lost answer, a job that this attempt ended in this way was ended by this call.
    pub(crate) async fn end_job(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        how: &JobEnd,
        result: Option<&str>,
    ) -> Result<bool, CatalogError> {
        check_end(job, how)?;
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            if turn.is_again() && has_ended(&mut transaction, job, attempt, how).await? {
                return Ok(true);
            }
            if !hold(&mut transaction, job, attempt, self.acting()).await? {
                return Ok(false);
            }
            close(&mut transaction, job, attempt, how, result).await?;
            transaction.commit().await.map_err(doing(format!("end job {job}")))?;
            Ok(true)
        })
        .await
    }

    /// After the end: what became known later (log object, cleanup phase). `None` leaves the log that is recorded. Said
    /// twice it is said once.
    pub(crate) async fn annotate(
        &self,
        job: JobId,
        result: &str,
        log: Option<&BlobKey>,
    ) -> Result<(), CatalogError> {
        let action = || doing(format!("add to the record of job {job}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            let annotated = sqlx::query("UPDATE jobs SET result = $1, log = COALESCE($2, log) WHERE id = $3")
                .bind(stored_text(result))
                .bind(log.map(BlobKey::as_str))
                .bind(job.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            if annotated.rows_affected() == 0 {
                return Err(CatalogError::NoSuchJob { job });
            }
            transaction.commit().await.map_err(action())
        })
        .await
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobRecord>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let row = sqlx::query(select_jobs!("WHERE jobs.id = $1"))
                .bind(id.to_string())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(doing(format!("read job {id}")))?;
            row.as_ref().map(record).transpose()
        })
        .await
    }

    /// Newest first.
    pub(crate) async fn jobs(&self, jobs_max: u64) -> Result<Vec<JobRecord>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(select_jobs!("ORDER BY jobs.created DESC, jobs.id DESC LIMIT $1"))
                .bind(stored_count(jobs_max))
                .fetch_all(&mut *transaction)
                .await
                .map_err(doing("list the jobs"))?;
            rows.iter().map(record).collect()
        })
        .await
    }

    /// Attempts that nobody has ended, oldest first.
    pub(crate) async fn open_attempts(&self) -> Result<Vec<OpenAttempt>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT job, number, worker, phase, started, data_folder FROM attempts
                 WHERE ended IS NULL ORDER BY started, job",
            )
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the open attempts"))?;
            rows.iter().map(open_attempt).collect()
        })
        .await
    }
}

/// Refuses an end that is none.
pub(super) fn check_end(job: JobId, end: &JobEnd) -> Result<(), CatalogError> {
    if end.status.is_done() { Ok(()) } else { Err(CatalogError::NotAnEnd { job, status: end.status }) }
}

/// An update that changes nothing: it finds the job only while the attempt holds it, and keeps it so until the
/// transaction ends. `acting` is the worker that asks, empty for whoever.
pub(super) async fn hold(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
    acting: &str,
) -> Result<bool, CatalogError> {
    let held = sqlx::query(concat!("UPDATE jobs SET attempt = attempt WHERE ", held!()))
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
        .bind(acting)
        .execute(connection)
        .await
        .map_err(doing(format!("check that attempt {attempt} still holds job {job}")))?;
    Ok(held.rows_affected() > 0)
}

/// Ends a job and its attempt; the caller holds it.
pub(super) async fn close(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
    how: &JobEnd,
    result: Option<&str>,
) -> Result<(), CatalogError> {
    let action = || doing(format!("end job {job}"));
    let now = stored_now();
    sqlx::query(
        "UPDATE jobs SET status = $1, code = $2, message = $3, ended = $4, result = COALESCE($5, result)
         WHERE id = $6",
    )
    .bind(how.status.as_str())
    .bind(how.code.map(FailureCode::as_str))
    .bind(stored_text(&how.message))
    .bind(now)
    .bind(result.map(stored_text))
    .bind(job.to_string())
    .execute(&mut *connection)
    .await
    .map_err(action())?;
    end_attempt(connection, job, attempt, now).await
}

/// Closes the record of an attempt.
pub(super) async fn end_attempt(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
    now: i64,
) -> Result<(), CatalogError> {
    sqlx::query("UPDATE attempts SET ended = $1 WHERE job = $2 AND number = $3")
        .bind(now)
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
        .execute(connection)
        .await
        .map_err(doing(format!("end attempt {attempt} of job {job}")))?;
    Ok(())
}

/// Whether the attempt has ended the job in this way.
async fn has_ended(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
    how: &JobEnd,
) -> Result<bool, CatalogError> {
    let row = sqlx::query(
        "SELECT id FROM jobs WHERE id = $1 AND attempt = $2 AND ended IS NOT NULL AND status = $3
         AND COALESCE(code, '') = $4 AND message = $5",
    )
    .bind(job.to_string())
    .bind(i64::from(attempt.0))
    .bind(how.status.as_str())
    .bind(how.code.map_or("", FailureCode::as_str))
    .bind(stored_text(&how.message))
    .fetch_optional(connection)
    .await
    .map_err(doing(format!("find out whether job {job} has ended")))?;
    Ok(row.is_some())
}

fn record(row: &AnyRow) -> Result<JobRecord, CatalogError> {
    Ok(JobRecord {
        id: parsed(row, "id")?,
        component: parsed(row, "component")?,
        configuration: optional_parsed(row, "configuration")?,
        created: time(row, "created")?,
        state: state(row)?,
        result: optional_text(row, "result")?,
        log: optional_blob_key(row, "log")?,
    })
}

fn state(row: &AnyRow) -> Result<JobState, CatalogError> {
    let status = named(row, "status", JobStatus::parse)?;
    Ok(match status {
        JobStatus::Waiting => JobState::Waiting,
        JobStatus::Processing => JobState::Processing {
            since: time(row, "since")?,
            attempt: attempt_number(row, "attempt")?,
            phase: named(row, "phase", Phase::parse)?,
            worker: parsed(row, "worker")?,
        },
        JobStatus::Success
        | JobStatus::Warning
        | JobStatus::Error
        | JobStatus::Terminated
        | JobStatus::Cancelled => {
            let code = optional_text(row, "code")?
                .map(|_text| named(row, "code", FailureCode::parse))
                .transpose()?;
            let message = optional_text(row, "message")?.unwrap_or_default();
            JobState::Done {
                started: optional_time(row, "started")?,
                ended: time(row, "ended")?,
                end: JobEnd { status, code, message },
            }
        }
    })
}

pub(super) fn open_attempt(row: &AnyRow) -> Result<OpenAttempt, CatalogError> {
    Ok(OpenAttempt {
        job: parsed(row, "job")?,
        attempt: attempt_number(row, "number")?,
        worker: parsed(row, "worker")?,
        phase: named(row, "phase", Phase::parse)?,
        started: time(row, "started")?,
        data_folder: optional_text(row, "data_folder")?,
    })
}

pub(super) fn attempt_number(row: &AnyRow, column: &'static str) -> Result<AttemptNumber, CatalogError> {
    let found = count(row, column)?;
    let number = u32::try_from(found)
        .map_err(|_too_large| CatalogError::Damaged { column, found: found.to_string() })?;
    Ok(AttemptNumber(number))
}
