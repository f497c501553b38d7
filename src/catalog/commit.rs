//! The commit: everything a job publishes becomes visible in one transaction, or nothing does.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, Row as _};

use crate::job::{JobId, Receipt};

use super::claim::Ticket;
use super::error::doing;
use super::rows::{integer, stored_count, stored_now, stored_text};
use super::{Catalog, CatalogError, Commit, CommitError, StateKey, files, jobs, load, tables, units};

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
    /// After a lost answer it is found out whether the commit happened, by hand or by a job, and the answer is the one
    /// that was lost. Only when patience ends first is it not known: a job's next attempt finds its unit ended or not,
    /// and for an import by hand the person must look.
    ///
    /// Dropping the future before it is done leaves nothing, or everything when the database had already been told.
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<Receipt, CommitError> {
        check(commit)?;
        let ticket = &Ticket::fresh();
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            // Held until the end, this counter makes commits queue on every database. So heads that were read stay, two
            // commits of the same tables cannot lock each other out, and times are in the order in which commits
            // appear. And an earlier try of this commit has happened or never will.
            let time = next_commit_time(&mut transaction).await?;
            if turn.is_again()
                && let Some(done) = receipt_of(&mut transaction, ticket).await?
            {
                return Ok(done);
            }
            let receipt = self.publish(&mut transaction, commit, time).await?;
            remember(&mut transaction, time, ticket).await?;
            transaction.commit().await.map_err(doing("finish a commit"))?;
            Ok(receipt)
        })
        .await
    }

    async fn publish(
        &self,
        connection: &mut AnyConnection,
        commit: &Commit,
        time: i64,
    ) -> Result<Receipt, CommitError> {
        if let Some((job, attempt)) = commit.attempt {
            if !jobs::hold(connection, job, attempt, self.acting()).await? {
                return Err(CommitError::FenceLost { job, attempt });
            }
            if let Some(unit) = &commit.unit
                && !units::record(connection, job, unit).await?
            {
                return Err(CommitError::FenceLost { job, attempt });
            }
        }
        let moment = Moment { time, job: commit.attempt.map(|(job, _)| job) };
        let mut receipt = Receipt::default();
        for (position, table) in (0..).zip(&commit.tables) {
            receipt.tables.push(load::publish(connection, table, moment, position).await?);
        }
        for file in &commit.files {
            receipt.files.push(files::publish(connection, file, moment).await?);
        }
        if let Some((key, document)) = &commit.state {
            store_state(connection, key, document, moment).await?;
        }
        for (file, tags) in &commit.processed_tags {
            files::add_tags(connection, *file, tags).await?;
        }
        if let (Some(end), Some((job, attempt))) = (&commit.end, commit.attempt) {
            jobs::close(connection, job, attempt, end, None).await?;
        }
        Ok(receipt)
    }

    /// The state document (JSON text) that was stored last.
    pub(crate) async fn state(&self, key: &StateKey) -> Result<Option<String>, CatalogError> {
        let action =
            || doing(format!("read the state of {}, configuration {}", key.component, key.configuration));
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
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
        })
        .await
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

/// Holds a counter's line until the transaction ends: whoever takes a number of it, or holds it, waits.
pub(super) async fn hold_counter(
    connection: &mut AnyConnection,
    counter: &'static str,
) -> Result<(), CatalogError> {
    next_numbers(connection, counter, 0).await.map(drop)
}

/// How long commits can be told from such as never happened, in microseconds. Nobody waits so long for an answer.
const REMEMBERED: i64 = 86_400_000_000;

/// Leaves the call's ticket with the commit.
async fn remember(connection: &mut AnyConnection, time: i64, ticket: &Ticket) -> Result<(), CatalogError> {
    let action = || doing("remember a commit");
    sqlx::query("DELETE FROM commits WHERE time < $1")
        .bind(time - REMEMBERED)
        .execute(&mut *connection)
        .await
        .map_err(action())?;
    sqlx::query("INSERT INTO commits (time, ticket) VALUES ($1, $2)")
        .bind(time)
        .bind(ticket.as_str())
        .execute(connection)
        .await
        .map_err(action())?;
    Ok(())
}

/// What the commit with this ticket has published; `None`: it never happened.
async fn receipt_of(
    connection: &mut AnyConnection,
    ticket: &Ticket,
) -> Result<Option<Receipt>, CatalogError> {
    let row = sqlx::query("SELECT time FROM commits WHERE ticket = $1")
        .bind(ticket.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(doing("find out whether a commit happened"))?;
    let Some(row) = row else { return Ok(None) };
    let published = Published::At(integer(&row, "time")?);
    Ok(Some(Receipt {
        tables: tables::receipts_of(connection, published).await?,
        files: files::receipts_of(connection, published).await?,
    }))
}

/// Whose receipts are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Published {
    By(JobId),
    /// By the one commit with this time, in microseconds.
    At(i64),
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
    .bind(stored_text(document))
    .bind(moment.time)
    .execute(connection)
    .await
    .map_err(doing(format!("store the state of {}, configuration {}", key.component, key.configuration)))?;
    Ok(())
}

fn row_id(key: &StateKey) -> &str {
    key.row.as_ref().map_or("", |row| row.as_str())
}
