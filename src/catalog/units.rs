//! Units (rows) of a job that have ended, each in its own commit, so that a later attempt does not run them again.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::job::{FailureCode, JobId};

use super::error::doing;
use super::rows::{count, named, optional_text, stored_text, text};
use super::{Catalog, CatalogError};

/// How one unit (row) of a job ended, so that a later attempt does not run it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitEnd {
    /// Place of the unit among the job's units.
    pub(crate) unit: u32,
    /// `None`: its outputs are published.
    pub(crate) failure: Option<UnitFailure>,
}

/// What is kept of a unit's failure, masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitFailure {
    pub(crate) code: FailureCode,
    pub(crate) message: String,
}

impl Catalog {
    /// The units of a job that have ended in this or an earlier attempt, by place.
    pub(crate) async fn unit_ends(&self, job: JobId) -> Result<Vec<UnitEnd>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query("SELECT unit, code, message FROM unit_ends WHERE job = $1 ORDER BY unit")
                .bind(job.to_string())
                .fetch_all(&mut *transaction)
                .await
                .map_err(doing(format!("read which units of job {job} have ended")))?;
            rows.iter().map(unit_end).collect()
        })
        .await
    }
}

/// Records the end within a commit. False: it had ended before.
pub(super) async fn record(
    connection: &mut AnyConnection,
    job: JobId,
    end: &UnitEnd,
) -> Result<bool, CatalogError> {
    let failure = end.failure.as_ref();
    let recorded = sqlx::query(
        "INSERT INTO unit_ends (job, unit, code, message) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(job.to_string())
    .bind(i64::from(end.unit))
    .bind(failure.map(|failure| failure.code.as_str()))
    .bind(failure.map(|failure| stored_text(&failure.message)))
    .execute(connection)
    .await
    .map_err(doing(format!("record the end of unit {} of job {job}", end.unit)))?;
    Ok(recorded.rows_affected() > 0)
}

fn unit_end(row: &AnyRow) -> Result<UnitEnd, CatalogError> {
    let place = count(row, "unit")?;
    let unit = u32::try_from(place)
        .map_err(|_too_large| CatalogError::Damaged { column: "unit", found: place.to_string() })?;
    let failure = match optional_text(row, "code")? {
        None => None,
        Some(_) => Some(UnitFailure {
            code: named(row, "code", FailureCode::parse)?,
            message: text(row, "message")?,
        }),
    };
    Ok(UnitEnd { unit, failure })
}
