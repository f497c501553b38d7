//! Who holds which attempt: heartbeats, declaring a worker lost, going on in its place. A heartbeat is a counter that
//! observers watch by their own clocks; no two machines' clocks are ever compared.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::job::{AttemptNumber, JobId, WorkerId};

use super::error::doing;
use super::jobs::{attempt_number, open_attempt};
use super::rows::{count, flag, parsed, stored_now, stored_text};
use super::{Catalog, CatalogError, OpenAttempt};

/// An attempt that a worker still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldAttempt {
    pub(crate) job: JobId,
    pub(crate) attempt: AttemptNumber,
    pub(crate) is_cancel_asked: bool,
}

/// What a worker's heartbeat looks like to the others. A beat that stays the same for a lease time, by the clock of
/// whoever looks, is a lost worker: no two machines' clocks are ever compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) worker: WorkerId,
    pub(crate) beat: u64,
}

impl Catalog {
    /// Makes a worker known, with its first beat. Signed on twice it is known once.
    pub(crate) async fn sign_on(&self, worker: &WorkerId, host: &str) -> Result<(), CatalogError> {
        let action = || doing(format!("sign on worker {worker}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            sqlx::query(
                "INSERT INTO workers (id, host, started, beat) VALUES ($1, $2, $3, 1)
                 ON CONFLICT (id) DO UPDATE SET host = excluded.host, beat = workers.beat + 1",
            )
            .bind(worker.as_str())
            .bind(stored_text(host))
            .bind(stored_now())
            .execute(&mut *transaction)
            .await
            .map_err(action())?;
            transaction.commit().await.map_err(action())
        })
        .await
    }

    /// Forgets a worker that holds nothing any more. One that still does stays, and is missed in time.
    pub(crate) async fn sign_off(&self, worker: &WorkerId) -> Result<(), CatalogError> {
        let action = || doing(format!("sign off worker {worker}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            forget_idle(&mut transaction, worker).await?;
            transaction.commit().await.map_err(action())
        })
        .await
    }

    /// The heartbeat: counts the worker's beat up and returns what it holds, by job. A worker that was declared lost is
    /// known again by this; what it held then is not among the result. Counted twice after a lost answer, it has moved
    /// all the same.
    pub(crate) async fn beat(&self, worker: &WorkerId) -> Result<Vec<HeldAttempt>, CatalogError> {
        let action = || doing(format!("record the heartbeat of worker {worker}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            make_known(&mut transaction, worker).await?;
            sqlx::query("UPDATE workers SET beat = beat + 1 WHERE id = $1")
                .bind(worker.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            let rows = sqlx::query(
                "SELECT attempts.job, attempts.number, jobs.is_cancel_asked
                 FROM attempts JOIN jobs ON jobs.id = attempts.job AND jobs.attempt = attempts.number
                 WHERE attempts.worker = $1 AND attempts.ended IS NULL AND attempts.is_lost = 0
                 AND jobs.status = 'processing' ORDER BY attempts.job",
            )
            .bind(worker.as_str())
            .fetch_all(&mut *transaction)
            .await
            .map_err(action())?;
            let held = rows.iter().map(held_attempt).collect::<Result<_, _>>()?;
            transaction.commit().await.map_err(action())?;
            Ok(held)
        })
        .await
    }

    /// The beats of all workers that are signed on, by name.
    pub(crate) async fn beats(&self) -> Result<Vec<Beat>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query("SELECT id, beat FROM workers ORDER BY id")
                .fetch_all(&mut *transaction)
                .await
                .map_err(doing("read the heartbeats"))?;
            rows.iter()
                .map(|row| Ok(Beat { worker: parsed(row, "id")?, beat: count(row, "beat")? }))
                .collect()
        })
        .await
    }

    /// Declares a worker lost, unless it has beaten meanwhile, and returns what it held: from now on it can publish
    /// and end nothing of that. `None`: it lives.
    ///
    /// The worker is forgotten when it holds nothing. Until everything is put back or taken over its beat is still
    /// told, standing still, so that others find it when whoever declared it lost dies too. Declared lost twice it is
    /// lost once, with the same result.
    pub(crate) async fn lose_worker(&self, beat: &Beat) -> Result<Option<Vec<OpenAttempt>>, CatalogError> {
        let worker = &beat.worker;
        let action = || doing(format!("declare worker {worker} lost"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            // An update that changes nothing holds the line: a heartbeat comes before or after all of this.
            let row = sqlx::query("UPDATE workers SET beat = beat WHERE id = $1 RETURNING beat")
                .bind(worker.as_str())
                .fetch_optional(&mut *transaction)
                .await
                .map_err(action())?;
            if let Some(row) = row
                && count(&row, "beat")? != beat.beat
            {
                return Ok(None);
            }
            sqlx::query("UPDATE attempts SET is_lost = 1 WHERE worker = $1 AND ended IS NULL")
                .bind(worker.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            let rows = sqlx::query(
                "SELECT job, number, worker, phase, started, data_folder FROM attempts
                 WHERE worker = $1 AND ended IS NULL ORDER BY started, job",
            )
            .bind(worker.as_str())
            .fetch_all(&mut *transaction)
            .await
            .map_err(action())?;
            let held = rows.iter().map(open_attempt).collect::<Result<_, _>>()?;
            forget_idle(&mut transaction, worker).await?;
            transaction.commit().await.map_err(action())?;
            Ok(Some(held))
        })
        .await
    }

    /// Makes an attempt another worker's, who goes on with its container. False: it is not `from`'s any more. What is
    /// `to`'s already stays so.
    pub(crate) async fn take_over(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        from: &WorkerId,
        to: &WorkerId,
    ) -> Result<bool, CatalogError> {
        let action = || doing(format!("take over job {job}"));
        self.insist(|turn| async move {
            let mut transaction = self.begin_note().await?;
            let taken = sqlx::query(
                "UPDATE attempts SET worker = $1, is_lost = 0
                 WHERE job = $2 AND number = $3 AND ended IS NULL AND (worker = $4 OR (worker = $1 AND $5 = 1))
                 AND EXISTS (SELECT 1 FROM jobs WHERE id = $2 AND attempt = $3 AND status = 'processing')",
            )
            .bind(to.as_str())
            .bind(job.to_string())
            .bind(i64::from(attempt.0))
            .bind(from.as_str())
            .bind(i64::from(turn.is_again()))
            .execute(&mut *transaction)
            .await
            .map_err(action())?;
            make_known(&mut transaction, to).await?;
            transaction.commit().await.map_err(action())?;
            Ok(taken.rows_affected() > 0)
        })
        .await
    }
}

/// A worker that nobody knows (any more) is known again.
pub(super) async fn make_known(
    connection: &mut AnyConnection,
    worker: &WorkerId,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO workers (id, host, started, beat) VALUES ($1, '', $2, 1) ON CONFLICT DO NOTHING",
    )
    .bind(worker.as_str())
    .bind(stored_now())
    .execute(connection)
    .await
    .map_err(doing(format!("make worker {worker} known")))?;
    Ok(())
}

async fn forget_idle(connection: &mut AnyConnection, worker: &WorkerId) -> Result<(), CatalogError> {
    sqlx::query(
        "DELETE FROM workers WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM attempts WHERE worker = workers.id AND ended IS NULL)",
    )
    .bind(worker.as_str())
    .execute(connection)
    .await
    .map_err(doing(format!("forget worker {worker}")))?;
    Ok(())
}

fn held_attempt(row: &AnyRow) -> Result<HeldAttempt, CatalogError> {
    Ok(HeldAttempt {
        job: parsed(row, "job")?,
        attempt: attempt_number(row, "number")?,
        is_cancel_asked: flag(row, "is_cancel_asked")?,
    })
}
