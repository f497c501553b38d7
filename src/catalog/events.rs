//! What was said about jobs: written in bulk, read in order.

use std::sync::LazyLock;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use crate::events::{Event, Level, Source};
use crate::job::JobId;

use super::batch::{BATCH, placeholders};
use super::error::doing;
use super::rows::{count, named, optional_text, stored_count, stored_text, text, time};
use super::{Catalog, CatalogError};

static INSERT_BATCH: LazyLock<String> = LazyLock::new(|| insert_sql(BATCH));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_sql(1));

impl Catalog {
    /// Records events of a job that is known. An event whose sequence number is there already is passed over, so that
    /// a batch can be sent again.
    pub(crate) async fn add_events(&self, job: JobId, events: &[Event]) -> Result<(), CatalogError> {
        if events.is_empty() {
            return Ok(());
        }
        let action = || doing(format!("record events of job {job}"));
        let job_text = &job.to_string();
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            let (batches, rest) = events.as_chunks::<BATCH>();
            for batch in batches {
                let mut query = sqlx::query(AssertSqlSafe(INSERT_BATCH.as_str()));
                for event in batch {
                    query = bind(query, job_text, event);
                }
                query.execute(&mut *transaction).await.map_err(action())?;
            }
            for event in rest {
                let query = bind(sqlx::query(AssertSqlSafe(INSERT_ONE.as_str())), job_text, event);
                query.execute(&mut *transaction).await.map_err(action())?;
            }
            transaction.commit().await.map_err(action())
        })
        .await
    }

    /// In order, from sequence number `from` on.
    pub(crate) async fn events(
        &self,
        job: JobId,
        from: u64,
        events_max: u64,
    ) -> Result<Vec<Event>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT sequence, time, level, source, message, fields FROM events
                 WHERE job = $1 AND sequence >= $2 ORDER BY sequence LIMIT $3",
            )
            .bind(job.to_string())
            .bind(stored_count(from))
            .bind(stored_count(events_max))
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing(format!("read the events of job {job}")))?;
            rows.iter().map(event).collect()
        })
        .await
    }

    /// The sequence number for the job's next event.
    pub(crate) async fn next_event(&self, job: JobId) -> Result<u64, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let row = sqlx::query("SELECT COALESCE(MAX(sequence) + 1, 0) AS next FROM events WHERE job = $1")
                .bind(job.to_string())
                .fetch_one(&mut *transaction)
                .await
                .map_err(doing(format!("read the number of events of job {job}")))?;
            count(&row, "next")
        })
        .await
    }

    /// How many events from sequence number `from` on each source has.
    pub(crate) async fn events_by_source_since(
        &self,
        job: JobId,
        from: u64,
    ) -> Result<Vec<(Source, u64)>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT source, COUNT(*) AS events FROM events WHERE job = $1 AND sequence >= $2 GROUP BY source",
            )
            .bind(job.to_string())
            .bind(stored_count(from))
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing(format!("count the events of job {job}")))?;
            rows.iter().map(|row| Ok((named(row, "source", Source::parse)?, count(row, "events")?))).collect()
        })
        .await
    }
}

fn insert_sql(lines: usize) -> String {
    let values = placeholders(lines, 7);
    format!(
        "INSERT INTO events (job, sequence, time, level, source, message, fields) VALUES {values}
         ON CONFLICT DO NOTHING"
    )
}

fn bind<'q>(query: Query<'q, Any, AnyArguments>, job: &str, event: &Event) -> Query<'q, Any, AnyArguments> {
    query
        .bind(job.to_owned())
        .bind(stored_count(event.sequence))
        .bind(event.time.as_microsecond())
        .bind(event.level.as_str())
        .bind(event.source.as_str())
        .bind(stored_text(&event.message))
        .bind(event.fields.as_deref().map(stored_text))
}

fn event(row: &AnyRow) -> Result<Event, CatalogError> {
    Ok(Event {
        sequence: count(row, "sequence")?,
        time: time(row, "time")?,
        level: named(row, "level", Level::parse)?,
        source: named(row, "source", Source::parse)?,
        message: text(row, "message")?,
        fields: optional_text(row, "fields")?,
    })
}
