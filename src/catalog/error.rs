//! What can go wrong with the catalog.

use std::path::PathBuf;

use crate::blob::{BlobKey, is_disk_full};
use crate::job::{AttemptNumber, JobId, JobStatus, TableId};

use super::SliceId;

/// Why the catalog could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("cannot make the catalog's directory {}", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("the catalog's path {} is not valid UTF-8", path.display())]
    PathNotText { path: PathBuf },
    #[error("cannot open the catalog {}", path.display())]
    Open { path: PathBuf, source: sqlx::Error },
    #[error("{} is not a catalog of Longshore: {what}", path.display())]
    NotACatalog { path: PathBuf, what: &'static str },
    #[error(
        "the catalog has schema version {found}, this Longshore knows up to {known}: use a newer Longshore"
    )]
    TooNew { found: i64, known: i64 },
    /// What the operator must do is in `hint`; the address has no password.
    #[error("cannot open the catalog {address}: {hint}")]
    OpenServer { address: String, hint: String, source: sqlx::Error },
    #[error("{address} is not a catalog of Longshore: {what}")]
    NotACatalogServer { address: String, what: &'static str },
    #[error("{problem}")]
    Address { problem: &'static str },
    #[error("the catalog gave no answer within {seconds} s")]
    NoAnswer { seconds: u64 },
    #[error("cannot {action}")]
    Sql { action: String, source: sqlx::Error },
    /// Something stored does not say what it must: the catalog was changed by other means, or is damaged.
    #[error("the catalog is damaged: {column} holds {found:?}")]
    Damaged { column: &'static str, found: String },
    #[error("there is no job {job}")]
    NoSuchJob { job: JobId },
    #[error("job {job} is already known")]
    JobExists { job: JobId },
    /// Two loads of one table cannot both be computed against the head they find.
    #[error("table {table} is loaded twice in one commit")]
    TableTwice { table: TableId },
    #[error("slice {slice} is not in the head of table {table}")]
    NotInHead { table: TableId, slice: SliceId },
    #[error("the rows deleted from slice {blob} of table {table} {problem}")]
    Deletion { table: TableId, blob: BlobKey, problem: &'static str },
    #[error("job {job} cannot end as {}", status.as_str())]
    NotAnEnd { job: JobId, status: JobStatus },
    #[error("a commit by hand has no job to end")]
    NoJobToEnd,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// Somebody else published to this table since the load was computed: compute again and retry.
    #[error("table {table} moved while the load was prepared")]
    HeadMoved { table: TableId },
    /// The attempt is not the job's current one any more: publish nothing.
    #[error("attempt {attempt} of job {job} has lost its lease")]
    FenceLost { job: JobId, attempt: AttemptNumber },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// `SQLite`'s result codes, without what the extended codes add above the first byte.
const SQLITE_BUSY: i64 = 5;
const SQLITE_FULL: i64 = 13;
const SQLITE_NOT_A_DATABASE: i64 = 26;
/// `PostgreSQL`'s `disk_full`.
const POSTGRES_DISK_FULL: &str = "53100";

impl CatalogError {
    /// Whether the file system under the catalog is full: the operator must act.
    pub(crate) fn is_disk_full(&self) -> bool {
        if let Self::Directory { source, .. } = self {
            return is_disk_full(source);
        }
        self.database_error().is_some_and(|source| {
            sqlite_code(source) == Some(SQLITE_FULL)
                || source.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref()
                    == Some(POSTGRES_DISK_FULL)
        })
    }

    /// Whether the same may go well soon.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::NoAnswer { .. }) || self.database_error().is_some_and(is_passing)
    }

    fn database_error(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Open { source, .. } | Self::OpenServer { source, .. } | Self::Sql { source, .. } => {
                Some(source)
            }
            Self::NoAnswer { .. }
            | Self::Directory { .. }
            | Self::PathNotText { .. }
            | Self::NotACatalog { .. }
            | Self::NotACatalogServer { .. }
            | Self::Address { .. }
            | Self::TooNew { .. }
            | Self::Damaged { .. }
            | Self::NoSuchJob { .. }
            | Self::JobExists { .. }
            | Self::TableTwice { .. }
            | Self::NotInHead { .. }
            | Self::Deletion { .. }
            | Self::NotAnEnd { .. }
            | Self::NoJobToEnd => None,
        }
    }
}

/// `PostgreSQL`'s codes for what passes by itself: it shuts down, starts or has crashed; this connection was ended (a
/// switch to another server among the reasons) or is one too many; somebody else was in the way.
const PASSING: [&str; 13] = [
    "57P01", "57P02", "57P03", "57P05", "25P03", "25006", "53300", "40001", "40P01", "55P03", "57014",
    "08006", "08003",
];

/// Whether the connection was lost or others were in the way. `SQLite` has neither: its waiting is its own.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    if let Some(error) = error.as_database_error() {
        return error.code().is_some_and(|code| PASSING.contains(&code.as_ref()));
    }
    // A connection that was cut in the middle of an answer may show as a broken protocol.
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}

/// Wraps a database error with what was being done.
pub(super) fn doing(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> CatalogError {
    move |source| CatalogError::Sql { action: action.into(), source }
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(SQLITE_BUSY)
}

pub(super) fn is_not_a_database(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(SQLITE_NOT_A_DATABASE)
}

fn sqlite_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
