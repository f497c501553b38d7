//! What a database is and holds, seen without changing it; bringing its schema up to date on request.

use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe};

use super::error::doing;
use super::rows::count;
use super::{Catalog, CatalogError, PostgresOptions, migrations};

/// Where a catalog is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CatalogPlace<'a> {
    File(&'a Path),
    Server(&'a PostgresOptions),
}

/// A database as it is found. It may be empty, or of another version than this program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseStatus {
    /// The product and its version.
    pub(crate) database: String,
    /// A path, or an address without its password.
    pub(crate) place: String,
    /// 0: nothing is there yet.
    pub(crate) schema_found: u64,
    /// What this program reads and writes.
    pub(crate) schema_known: u64,
    pub(crate) bytes: u64,
    /// What there is, and how much of it.
    pub(crate) counts: Vec<(&'static str, u64)>,
}

/// A database that can be looked at, and how it is told of.
pub(super) struct Found {
    pub(super) connection: AnyConnection,
    pub(super) place: String,
    pub(super) is_catalog: bool,
    /// SQL that gives `database` and `bytes`.
    pub(super) describe: &'static str,
}

/// Both versions of the schema have these.
const COUNTS: [(&str, &str); 5] = [
    ("tables", "SELECT COUNT(*) AS found FROM tables WHERE head IS NOT NULL"),
    ("versions", "SELECT COUNT(*) AS found FROM versions WHERE forgotten IS NULL"),
    ("files", "SELECT COUNT(*) AS found FROM files"),
    ("jobs", "SELECT COUNT(*) AS found FROM jobs"),
    ("open_jobs", "SELECT COUNT(*) AS found FROM jobs WHERE ended IS NULL"),
];

impl CatalogPlace<'_> {
    /// `None`: the file is not there.
    pub(crate) async fn status(self) -> Result<Option<DatabaseStatus>, CatalogError> {
        let Some(mut found) = self.find().await? else { return Ok(None) };
        let connection = &mut found.connection;
        let described = sqlx::query(found.describe)
            .fetch_one(&mut *connection)
            .await
            .map_err(doing("ask what the database is"))?;
        let schema_found = if found.is_catalog { migrations::found(connection).await? } else { 0 };
        let mut counts = Vec::new();
        if found.is_catalog {
            for (name, sql) in COUNTS {
                let row = sqlx::query(AssertSqlSafe(sql))
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(doing(format!("count {name}")))?;
                counts.push((name, count(&row, "found")?));
            }
        }
        Ok(Some(DatabaseStatus {
            database: super::rows::text(&described, "database")?,
            bytes: count(&described, "bytes")?,
            place: found.place,
            schema_found: schema_found.unsigned_abs(),
            schema_known: migrations::KNOWN_VERSION.unsigned_abs(),
            counts,
        }))
    }

    /// Makes what is missing, the file itself included; returns the schema version before, 0 for none.
    pub(crate) async fn migrate(self) -> Result<u64, CatalogError> {
        let before = self.status().await?.map_or(0, |status| status.schema_found);
        match self {
            Self::File(path) => Catalog::open_sqlite(path).await.map(drop)?,
            Self::Server(options) => Catalog::open_postgres(options).await.map(drop)?,
        }
        Ok(before)
    }
}
