//! Jobs and their attempts. Every change of a job compares where it stands, so that only one of two writers moves it.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::blob::BlobKey;
use crate::job::{
    AttemptNumber, ComponentId, ConfigurationId, FailureCode, JobEnd, JobId, JobState, JobStatus, Phase,
    WorkerId,
};

use super::error::doing;
use super::rows::{
    count, named, optional_blob_key, optional_parsed, optional_text, optional_time, parsed, stored_count,
    stored_now, time,
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

impl Catalog {
    /// Records a job (status waiting) with its request document (JSON text). A known id is [`CatalogError::JobExists`].
    #[cfg(test)]
    pub(crate) async fn create_job(
        &self,
        id: JobId,
        component: &ComponentId,
        configuration: Option<&ConfigurationId>,
        request: &str,
    ) -> Result<(), CatalogError> {
        let mut transaction = self.begin_note().await?;
        insert_job(&mut transaction, id, component, configuration, request).await?;
        transaction.commit().await.map_err(doing(format!("record job {id}")))
    }

    /// Records a job and takes its first attempt in one: who dies in between leaves nothing, and no job that waits
    /// for ever.
    pub(crate) async fn begin_job(
        &self,
        id: JobId,
        component: &ComponentId,
        configuration: Option<&ConfigurationId>,
        request: &str,
        worker: &WorkerId,
    ) -> Result<AttemptNumber, CatalogError> {
        let mut transaction = self.begin_note().await?;
        insert_job(&mut transaction, id, component, configuration, request).await?;
        let attempt = take_attempt(&mut transaction, id, worker).await?;
        transaction.commit().await.map_err(doing(format!("record job {id}")))?;
        attempt.ok_or(CatalogError::NoSuchJob { job: id })
    }

    /// Takes the next attempt by compare-and-set; `None` when the job is running or done.
    #[cfg(test)]
    pub(crate) async fn claim_old(
        &self,
        job: JobId,
        worker: &WorkerId,
    ) -> Result<Option<AttemptNumber>, CatalogError> {
        let mut transaction = self.begin_note().await?;
        let attempt = take_attempt(&mut transaction, job, worker).await?;
        transaction.commit().await.map_err(doing(format!("claim job {job}")))?;
        Ok(attempt)
    }

    /// Where the attempt is, what the result document says so far; `None` leaves what is recorded. False: the fence is
    /// lost.
    pub(crate) async fn progress(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        phase: Phase,
        data_folder: Option<&str>,
        result: Option<&str>,
    ) -> Result<bool, CatalogError> {
        let action = || doing(format!("record the progress of job {job}"));
        let mut transaction = self.begin_note().await?;
        let held = sqlx::query(
            "UPDATE jobs SET result = COALESCE($1, result) WHERE id = $2 AND attempt = $3 AND status = 'processing'",
        )
        .bind(result)
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
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
        .bind(data_folder)
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
        .execute(&mut *transaction)
        .await
        .map_err(action())?;
        transaction.commit().await.map_err(action())?;
        Ok(true)
    }

    /// Ends a job without publishing anything (failed, terminated, cancelled). False: the fence is lost or it had ended.
    pub(crate) async fn end_job(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        how: &JobEnd,
        result: Option<&str>,
    ) -> Result<bool, CatalogError> {
        check_end(job, how)?;
        let mut transaction = self.begin_write().await?;
        let ended = end(&mut transaction, job, attempt, how, result).await?;
        transaction.commit().await.map_err(doing(format!("end job {job}")))?;
        Ok(ended)
    }

    /// After the end: what became known later (log object, cleanup phase). `None` leaves the log that is recorded.
    pub(crate) async fn annotate(
        &self,
        job: JobId,
        result: &str,
        log: Option<&BlobKey>,
    ) -> Result<(), CatalogError> {
        let action = || doing(format!("add to the record of job {job}"));
        let mut transaction = self.begin_note().await?;
        let annotated = sqlx::query("UPDATE jobs SET result = $1, log = COALESCE($2, log) WHERE id = $3")
            .bind(result)
            .bind(log.map(BlobKey::as_str))
            .bind(job.to_string())
            .execute(&mut *transaction)
            .await
            .map_err(action())?;
        if annotated.rows_affected() == 0 {
            return Err(CatalogError::NoSuchJob { job });
        }
        transaction.commit().await.map_err(action())
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Option<JobRecord>, CatalogError> {
        let mut transaction = self.begin_read().await?;
        read_job(&mut transaction, id).await
    }

    /// Newest first.
    pub(crate) async fn jobs(&self, jobs_max: u64) -> Result<Vec<JobRecord>, CatalogError> {
        let mut transaction = self.begin_read().await?;
        let rows = sqlx::query(select_jobs!("ORDER BY jobs.created DESC, jobs.id DESC LIMIT $1"))
            .bind(stored_count(jobs_max))
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the jobs"))?;
        rows.iter().map(record).collect()
    }

    /// Attempts that nobody has ended, oldest first.
    pub(crate) async fn open_attempts(&self) -> Result<Vec<OpenAttempt>, CatalogError> {
        let mut transaction = self.begin_read().await?;
        let rows = sqlx::query(
            "SELECT job, number, worker, phase, started, data_folder FROM attempts
             WHERE ended IS NULL ORDER BY started, job",
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(doing("list the open attempts"))?;
        rows.iter().map(open_attempt).collect()
    }
}

async fn insert_job(
    connection: &mut AnyConnection,
    id: JobId,
    component: &ComponentId,
    configuration: Option<&ConfigurationId>,
    request: &str,
) -> Result<(), CatalogError> {
    let inserted = sqlx::query(
        "INSERT INTO jobs (id, component, configuration, request, status, attempt, created)
         VALUES ($1, $2, $3, $4, 'waiting', 0, $5) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(component.as_str())
    .bind(configuration.map(ConfigurationId::as_str))
    .bind(request)
    .bind(stored_now())
    .execute(connection)
    .await
    .map_err(doing(format!("record job {id}")))?;
    if inserted.rows_affected() == 0 { Err(CatalogError::JobExists { job: id }) } else { Ok(()) }
}

async fn take_attempt(
    connection: &mut AnyConnection,
    job: JobId,
    worker: &WorkerId,
) -> Result<Option<AttemptNumber>, CatalogError> {
    let action = || doing(format!("claim job {job}"));
    let now = stored_now();
    let claimed = sqlx::query(
        "UPDATE jobs SET status = 'processing', attempt = attempt + 1, started = COALESCE(started, $1)
         WHERE id = $2 AND status = 'waiting' RETURNING attempt",
    )
    .bind(now)
    .bind(job.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(action())?;
    let Some(row) = claimed else {
        let is_known = read_job(connection, job).await?.is_some();
        return if is_known { Ok(None) } else { Err(CatalogError::NoSuchJob { job }) };
    };
    let attempt = attempt_number(&row, "attempt")?;
    sqlx::query("INSERT INTO attempts (job, number, worker, phase, started) VALUES ($1, $2, $3, $4, $5)")
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
        .bind(worker.as_str())
        .bind(Phase::Resolve.as_str())
        .bind(now)
        .execute(connection)
        .await
        .map_err(action())?;
    Ok(Some(attempt))
}

/// Refuses an end that is none.
pub(super) fn check_end(job: JobId, end: &JobEnd) -> Result<(), CatalogError> {
    if end.status.is_done() { Ok(()) } else { Err(CatalogError::NotAnEnd { job, status: end.status }) }
}

/// Ends a job within the caller's transaction. False: the attempt is not the current one, or the job had ended.
pub(super) async fn end(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
    how: &JobEnd,
    result: Option<&str>,
) -> Result<bool, CatalogError> {
    let action = || doing(format!("end job {job}"));
    let now = stored_now();
    let ended = sqlx::query(
        "UPDATE jobs SET status = $1, code = $2, message = $3, ended = $4, result = COALESCE($5, result)
         WHERE id = $6 AND attempt = $7 AND status = 'processing'",
    )
    .bind(how.status.as_str())
    .bind(how.code.map(FailureCode::as_str))
    .bind(how.message.as_str())
    .bind(now)
    .bind(result)
    .bind(job.to_string())
    .bind(i64::from(attempt.0))
    .execute(&mut *connection)
    .await
    .map_err(action())?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE attempts SET ended = $1 WHERE job = $2 AND number = $3")
        .bind(now)
        .bind(job.to_string())
        .bind(i64::from(attempt.0))
        .execute(connection)
        .await
        .map_err(action())?;
    Ok(true)
}

async fn read_job(connection: &mut AnyConnection, id: JobId) -> Result<Option<JobRecord>, CatalogError> {
    let row = sqlx::query(select_jobs!("WHERE jobs.id = $1"))
        .bind(id.to_string())
        .fetch_optional(connection)
        .await
        .map_err(doing(format!("read job {id}")))?;
    row.as_ref().map(record).transpose()
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

fn open_attempt(row: &AnyRow) -> Result<OpenAttempt, CatalogError> {
    Ok(OpenAttempt {
        job: parsed(row, "job")?,
        attempt: attempt_number(row, "number")?,
        worker: parsed(row, "worker")?,
        phase: named(row, "phase", Phase::parse)?,
        started: time(row, "started")?,
        data_folder: optional_text(row, "data_folder")?,
    })
}

fn attempt_number(row: &AnyRow, column: &'static str) -> Result<AttemptNumber, CatalogError> {
    let found = count(row, column)?;
    let number = u32::try_from(found)
        .map_err(|_too_large| CatalogError::Damaged { column, found: found.to_string() })?;
    Ok(AttemptNumber(number))
}
