//! How jobs come in: to wait until a worker claims them, or to be run at once by their own process.

use jiff::{SignedDuration, Timestamp};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::job::{AttemptNumber, ComponentId, ConfigurationId, JobId, Priority, WorkerId};

use super::claim::{Ticket, take_attempt};
use super::commit::next_numbers;
use super::error::doing;
use super::rows::{optional_count, optional_parsed, parsed, stored_now, stored_text, text};
use super::{Catalog, CatalogError};

/// A job to be accepted: it waits until a worker claims it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewJob {
    pub(crate) id: JobId,
    /// What makes a second delivery of the same request known; unique in a catalog.
    pub(crate) key: Option<String>,
    pub(crate) component: ComponentId,
    pub(crate) configuration: Option<ConfigurationId>,
    /// The request document, JSON text.
    pub(crate) request: String,
    pub(crate) priority: Priority,
    /// Attempts after platform trouble or a lost worker, the first included.
    pub(crate) attempts_max: u32,
    pub(crate) reply: Option<ReplyAddress>,
}

/// What was asked for, as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AcceptedRequest {
    pub(crate) component: ComponentId,
    pub(crate) configuration: Option<ConfigurationId>,
    /// Of the stored configuration, the newest when the job was accepted; `None`: there was none.
    pub(crate) configuration_version: Option<u64>,
    /// The request document, JSON text.
    pub(crate) document: String,
}

/// Where the result document is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplyAddress {
    pub(crate) reply_to: String,
    pub(crate) correlation_id: Option<String>,
}

/// What became of an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    New(JobId),
    /// A job with this key (or id) is there already; nothing was changed.
    Known(JobId),
}

/// What became of a job that its own process wants to run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    Attempt(AttemptNumber),
    /// Another job of the configuration is waiting or processing; nothing was recorded.
    Busy(JobId),
}

impl Catalog {
    /// Accepts jobs in the order given, all in one transaction: each gets the next number of acceptance.
    ///
    /// On disk when it returns, so that a message may be acknowledged. Accepted again after a lost answer, a job is
    /// [`Accepted::Known`] by its own id.
    pub(crate) async fn accept_jobs(&self, jobs: &[NewJob]) -> Result<Vec<Accepted>, CatalogError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            let first = next_numbers(&mut transaction, "job", jobs.len()).await?;
            let mut accepted = Vec::with_capacity(jobs.len());
            for (number, job) in (first..).zip(jobs) {
                accepted.push(accept(&mut transaction, job, number).await?);
            }
            transaction.commit().await.map_err(doing("accept jobs"))?;
            Ok(accepted)
        })
        .await
    }

    /// Records a job and takes its first attempt in one: who dies in between leaves nothing, and no job that waits
    /// for ever. It is never put back, and nobody else is told of its end. A known id is [`CatalogError::JobExists`].
    ///
    /// After a lost answer, the attempt with this call's ticket is the one that it took.
    pub(crate) async fn begin_job(
        &self,
        id: JobId,
        component: &ComponentId,
        configuration: Option<&ConfigurationId>,
        request: &str,
        worker: &WorkerId,
    ) -> Result<Begun, CatalogError> {
        let ticket = &Ticket::fresh();
        self.insist(|turn| async move {
            let mut transaction = self.begin_note().await?;
            let number = next_numbers(&mut transaction, "job", 1).await?;
            if turn.is_again() && let Some(attempt) = ticket.attempt_of(&mut transaction, id).await? {
                return Ok(Begun::Attempt(attempt));
            }
            if let Some(busy) = open_job(&mut transaction, component, configuration).await? {
                return if busy == id { Err(CatalogError::JobExists { job: id }) } else { Ok(Begun::Busy(busy)) };
            }
            let inserted = sqlx::query(
                "INSERT INTO jobs (id, component, configuration, request, status, attempt, created, number, rank)
                 VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $6, $5) ON CONFLICT DO NOTHING",
            )
            .bind(id.to_string())
            .bind(component.as_str())
            .bind(configuration.map(ConfigurationId::as_str))
            .bind(stored_text(request))
            .bind(stored_now())
            .bind(number)
            .execute(&mut *transaction)
            .await
            .map_err(doing(format!("record job {id}")))?;
            if inserted.rows_affected() == 0 {
                return Err(CatalogError::JobExists { job: id });
            }
            let attempt = take_attempt(&mut transaction, id, worker, ticket).await?;
            let attempt = attempt.ok_or(CatalogError::NoSuchJob { job: id })?;
            transaction.commit().await.map_err(doing(format!("record job {id}")))?;
            Ok(Begun::Attempt(attempt))
        })
        .await
    }

    /// The job with this idempotency key.
    pub(crate) async fn job_of_key(&self, key: &str) -> Result<Option<JobId>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let row = sqlx::query("SELECT id FROM jobs WHERE idempotency_key = $1")
                .bind(stored_text(key))
                .fetch_optional(&mut *transaction)
                .await
                .map_err(doing("find the job of a key"))?;
            row.map(|row| parsed(&row, "id")).transpose()
        })
        .await
    }

    /// What a job was asked to do.
    pub(crate) async fn request_of(&self, job: JobId) -> Result<Option<AcceptedRequest>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let row = sqlx::query(
                "SELECT component, configuration, configuration_version, request FROM jobs WHERE id = $1",
            )
            .bind(job.to_string())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(doing(format!("read the request of job {job}")))?;
            row.as_ref().map(accepted_request).transpose()
        })
        .await
    }
}

/// From a row with a job's component, configuration, its version and the request.
pub(super) fn accepted_request(row: &AnyRow) -> Result<AcceptedRequest, CatalogError> {
    Ok(AcceptedRequest {
        component: parsed(row, "component")?,
        configuration: optional_parsed(row, "configuration")?,
        configuration_version: optional_count(row, "configuration_version")?,
        document: text(row, "request")?,
    })
}

async fn accept(connection: &mut AnyConnection, job: &NewJob, number: i64) -> Result<Accepted, CatalogError> {
    let action = || doing(format!("accept job {}", job.id));
    let now = Timestamp::now();
    let inserted = sqlx::query(
        "INSERT INTO jobs (id, component, configuration, request, status, attempt, created, number, idempotency_key,
                           rank, attempts_max, reply_to, correlation_id, is_told, configuration_version)
         VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $6, $7, $8, $9, $10, $11, 0,
                 (SELECT MAX(version) FROM configurations WHERE component = $2 AND id = $3))
         ON CONFLICT DO NOTHING",
    )
    .bind(job.id.to_string())
    .bind(job.component.as_str())
    .bind(job.configuration.as_ref().map(ConfigurationId::as_str))
    .bind(stored_text(&job.request))
    .bind(now.as_microsecond())
    .bind(number)
    .bind(job.key.as_deref().map(stored_text))
    .bind((now + head_start(job.priority)).as_microsecond())
    .bind(i64::from(job.attempts_max))
    .bind(job.reply.as_ref().map(|reply| stored_text(&reply.reply_to)))
    .bind(job.reply.as_ref().and_then(|reply| reply.correlation_id.as_deref()).map(stored_text))
    .execute(&mut *connection)
    .await
    .map_err(action())?;
    if inserted.rows_affected() > 0 {
        return Ok(Accepted::New(job.id));
    }
    // The key decides: a sender that says the same key means the same job, whatever id it made up.
    let known = sqlx::query(
        "SELECT id FROM jobs WHERE id = $1 OR idempotency_key = $2
         ORDER BY CASE WHEN idempotency_key = $2 THEN 0 ELSE 1 END LIMIT 1",
    )
    .bind(job.id.to_string())
    .bind(job.key.as_deref().map(stored_text))
    .fetch_one(connection)
    .await
    .map_err(action())?;
    Ok(Accepted::Known(parsed(&known, "id")?))
}

/// An hour between priorities: the urgent goes first, and nobody waits for ever.
fn head_start(priority: Priority) -> SignedDuration {
    match priority {
        Priority::High => SignedDuration::from_hours(-1),
        Priority::Normal => SignedDuration::ZERO,
        Priority::Low => SignedDuration::from_hours(1),
    }
}

/// The oldest job of the configuration that has not ended. A job without configuration stands in nobody's way.
async fn open_job(
    connection: &mut AnyConnection,
    component: &ComponentId,
    configuration: Option<&ConfigurationId>,
) -> Result<Option<JobId>, CatalogError> {
    let Some(configuration) = configuration else { return Ok(None) };
    let row = sqlx::query(
        "SELECT id FROM jobs WHERE component = $1 AND configuration = $2 AND ended IS NULL ORDER BY number LIMIT 1",
    )
    .bind(component.as_str())
    .bind(configuration.as_str())
    .fetch_optional(connection)
    .await
    .map_err(doing(format!("look for open jobs of configuration {configuration}")))?;
    row.map(|row| parsed(&row, "id")).transpose()
}
