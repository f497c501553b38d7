//! The commit: everything a job publishes becomes visible in one transaction, or nothing does.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, Row as _};

use crate::job::{AttemptNumber, JobId, Receipt};

use super::error::doing;
use super::rows::{stored_count, stored_now};
use super::{Catalog, CatalogError, Commit, CommitError, StateKey, files, jobs, load};

/// What all parts of one commit share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Microseconds; later than any earlier commit's.
    pub(super) time: i64,
    pub(super) job: Option<JobId>,
}

impl Catalog {
    /// Publishes everything or nothing. The receipt's order is the commit's.
    ///
    /// Dropping the future before it is done leaves nothing, or everything when the database had already been told.
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<Receipt, CommitError> {
        check(commit)?;
        let mut transaction = self.begin_write().await?;
        // Held until the end, this counter makes commits queue on every database. So heads that were read stay, two
        // commits of the same tables cannot lock each other out, and times are in the order in which commits appear.
        let time = next_commit_time(&mut transaction).await?;
        if let Some((job, attempt)) = commit.attempt {
            hold_fence(&mut transaction, job, attempt).await?;
        }
        let moment = Moment { time, job: commit.attempt.map(|(job, _)| job) };
        let mut receipt = Receipt::default();
        for (position, table) in (0..).zip(&commit.tables) {
            receipt.tables.push(load::publish(&mut transaction, table, moment, position).await?);
        }
        for file in &commit.files {
            receipt.files.push(files::publish(&mut transaction, file, moment).await?);
        }
        if let Some((key, document)) = &commit.state {
            store_state(&mut transaction, key, document, moment).await?;
        }
        for (file, tags) in &commit.processed_tags {
            files::add_tags(&mut transaction, *file, tags).await?;
        }
        if let (Some(end), Some((job, attempt))) = (&commit.end, commit.attempt) {
            jobs::end(&mut transaction, job, attempt, end, None).await?;
        }
        transaction.commit().await.map_err(doing("finish a commit"))?;
        Ok(receipt)
    }

    /// The state document (JSON text) that was stored last.
    pub(crate) async fn state(&self, key: &StateKey) -> Result<Option<String>, CatalogError> {
        let mut transaction = self.begin_read().await?;
        let action =
            || doing(format!("read the state of {}, configuration {}", key.component, key.configuration));
        let row = sqlx::query(
            "SELECT document FROM states WHERE component = $1 AND configuration = $2 AND row_id = $3",
        )
        .bind(key.component.as_str())
        .bind(key.configuration.as_str())
        .bind(row_id(key))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(action())?;
        row.map(|row| row.try_get("document").map_err(action())).transpose()
    }
}

/// What needs no database to be wrong.
fn check(commit: &Commit) -> Result<(), CatalogError> {
    let mut seen = BTreeSet::new();
    for load in &commit.tables {
        if !seen.insert(&load.table) {
            return Err(CatalogError::TableTwice { table: load.table.clone() });
        }
    }
    match (&commit.end, commit.attempt) {
        (Some(_), None) => Err(CatalogError::NoJobToEnd),
        (Some(end), Some((job, _))) => jobs::check_end(job, end),
        (None, _) => Ok(()),
    }
}

async fn next_commit_time(connection: &mut AnyConnection) -> Result<i64, CatalogError> {
    let action = "take the commit's time";
    let row = sqlx::query(
        "UPDATE counters SET value = CASE WHEN value >= $1 THEN value + 1 ELSE $1 END
         WHERE name = 'commit_time' RETURNING value",
    )
    .bind(stored_now())
    .fetch_one(connection)
    .await
    .map_err(doing(action))?;
    row.try_get("value").map_err(doing(action))
}

/// The first of so many numbers of a counter, none of them given out before.
pub(super) async fn next_numbers(
    connection: &mut AnyConnection,
    counter: &'static str,
    how_many: usize,
) -> Result<i64, CatalogError> {
    let action = || doing(format!("take the next number of a {counter}"));
    let row = sqlx::query(
        "UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value - $1 + 1 AS first",
    )
    .bind(stored_count(how_many as u64))
    .bind(counter)
    .fetch_one(connection)
    .await
    .map_err(action())?;
    row.try_get("first").map_err(action())
}

/// An update that changes nothing: it finds the line only while the attempt may publish, and holds it until the end.
async fn hold_fence(
    connection: &mut AnyConnection,
    job: JobId,
    attempt: AttemptNumber,
) -> Result<(), CommitError> {
    let held = sqlx::query(
        "UPDATE jobs SET attempt = attempt WHERE id = $1 AND attempt = $2 AND status = 'processing'",
    )
    .bind(job.to_string())
    .bind(i64::from(attempt.0))
    .execute(connection)
    .await
    .map_err(doing(format!("check that attempt {attempt} of job {job} may publish")))?;
    if held.rows_affected() == 0 { Err(CommitError::FenceLost { job, attempt }) } else { Ok(()) }
}

async fn store_state(
    connection: &mut AnyConnection,
    key: &StateKey,
    document: &str,
    moment: Moment,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO states (component, configuration, row_id, document, updated) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (component, configuration, row_id)
         DO UPDATE SET document = excluded.document, updated = excluded.updated",
    )
    .bind(key.component.as_str())
    .bind(key.configuration.as_str())
    .bind(row_id(key))
    .bind(document)
    .bind(moment.time)
    .execute(connection)
    .await
    .map_err(doing(format!("store the state of {}, configuration {}", key.component, key.configuration)))?;
    Ok(())
}

fn row_id(key: &StateKey) -> &str {
    key.row.as_ref().map_or("", |row| row.as_str())
}
