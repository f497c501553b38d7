//! Whom to tell of a job's end, and what to tell those who watch all jobs.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::job::{ComponentId, JobId};

use super::claim::claimable;
use super::error::doing;
use super::rows::{count, optional_text, optional_time, parsed, stored_count, stored_now, text};
use super::{Catalog, CatalogError, ReplyAddress};

/// A job that has ended and whom somebody is still to be told of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Untold {
    pub(crate) job: JobId,
    pub(crate) component: ComponentId,
    pub(crate) reply: Option<ReplyAddress>,
}

/// Jobs by where they stand, for metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JobCounts {
    /// Status text, failure code text (empty for none), how many; in this order.
    pub(crate) by_end: Vec<(String, String, u64)>,
    /// Of the oldest job that could be claimed now.
    pub(crate) oldest_waiting: Option<Timestamp>,
}

impl Catalog {
    /// Jobs that ended at least `age` ago and whom nobody was told of yet, oldest first. Jobs that their own process
    /// ran are not among them.
    pub(crate) async fn untold_jobs(
        &self,
        age: Duration,
        jobs_max: u64,
    ) -> Result<Vec<Untold>, CatalogError> {
        self.insist(|_| async move {
            let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT id, component, reply_to, correlation_id FROM jobs
                 WHERE is_told = 0 AND ended IS NOT NULL AND ended <= $1 ORDER BY ended, id LIMIT $2",
            )
            .bind(stored_now().saturating_sub(age))
            .bind(stored_count(jobs_max))
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the jobs that nobody was told of"))?;
            rows.iter().map(untold).collect()
        })
        .await
    }

    /// The same of one job that has just ended; `None`: nobody is to be told.
    pub(crate) async fn untold_job(&self, job: JobId) -> Result<Option<Untold>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let row = sqlx::query(
                "SELECT id, component, reply_to, correlation_id FROM jobs
                 WHERE id = $1 AND is_told = 0 AND ended IS NOT NULL",
            )
            .bind(job.to_string())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(doing(format!("find whom to tell of job {job}")))?;
            row.as_ref().map(untold).transpose()
        })
        .await
    }

    /// Marked twice it is marked once.
    pub(crate) async fn mark_told(&self, job: JobId) -> Result<(), CatalogError> {
        let action = || doing(format!("record that job {job} was told of"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            sqlx::query("UPDATE jobs SET is_told = 1 WHERE id = $1")
                .bind(job.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            transaction.commit().await.map_err(action())
        })
        .await
    }

    pub(crate) async fn job_counts(&self) -> Result<JobCounts, CatalogError> {
        self.insist(|_| async move {
            let action = || doing("count the jobs");
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT status, code, COUNT(*) AS jobs FROM jobs GROUP BY status, code ORDER BY status, code",
            )
            .fetch_all(&mut *transaction)
            .await
            .map_err(action())?;
            let mut by_end = rows.iter().map(by_end).collect::<Result<Vec<_>, _>>()?;
            // The databases sort by different rules, and NULL to different ends.
            by_end.sort();
            let oldest = sqlx::query(concat!(
                "SELECT MIN(CASE WHEN not_before > created THEN not_before ELSE created END) AS since
                 FROM jobs WHERE ",
                claimable!()
            ))
            .bind(stored_now())
            .fetch_one(&mut *transaction)
            .await
            .map_err(action())?;
            Ok(JobCounts { by_end, oldest_waiting: optional_time(&oldest, "since")? })
        })
        .await
    }
}

fn untold(row: &AnyRow) -> Result<Untold, CatalogError> {
    let correlation_id = optional_text(row, "correlation_id")?;
    let reply = optional_text(row, "reply_to")?.map(|reply_to| ReplyAddress { reply_to, correlation_id });
    Ok(Untold { job: parsed(row, "id")?, component: parsed(row, "component")?, reply })
}

fn by_end(row: &AnyRow) -> Result<(String, String, u64), CatalogError> {
    Ok((text(row, "status")?, optional_text(row, "code")?.unwrap_or_default(), count(row, "jobs")?))
}
