//! Brings the schema of a catalog up to what this program knows. A list of our own rather than `sqlx::migrate!`: its
//! lock does nothing on `SQLite`, and two processes may open a fresh catalog at once.

use sqlx::{AnyConnection, Row as _};

use super::CatalogError;
use super::error::doing;
use super::rows::stored_now;

/// In order; the first is version 1. What has been released is never changed, only added to.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_service.sql"),
    include_str!("migrations/0003_images.sql"),
    include_str!("migrations/0004_fields.sql"),
];

/// The schema version that this program reads and writes.
pub(super) const KNOWN_VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;

/// The version of a catalog whose `schema_versions` exists, whatever it is.
pub(super) async fn found(connection: &mut AnyConnection) -> Result<i64, CatalogError> {
    let action = "read the schema version of the catalog";
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions")
        .fetch_one(connection)
        .await
        .map_err(doing(action))?;
    row.try_get("version").map_err(doing(action))
}

/// The same; one that this program does not know is refused.
pub(super) async fn version(connection: &mut AnyConnection) -> Result<i64, CatalogError> {
    let found = found(connection).await?;
    if found > KNOWN_VERSION {
        return Err(CatalogError::TooNew { found, known: KNOWN_VERSION });
    }
    Ok(found)
}

/// Applies what is missing. The caller holds a transaction that keeps every other writer out.
pub(super) async fn apply(connection: &mut AnyConnection) -> Result<(), CatalogError> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL)",
    )
    .execute(&mut *connection)
    .await
    .map_err(doing("make the table of schema versions"))?;
    let found = version(connection).await?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).filter(|(number, _)| *number > found) {
        let action = || format!("bring the catalog to schema version {number}");
        sqlx::raw_sql(migration).execute(&mut *connection).await.map_err(|source| doing(action())(source))?;
        sqlx::query("INSERT INTO schema_versions (version, applied) VALUES ($1, $2)")
            .bind(number)
            .bind(stored_now())
            .execute(&mut *connection)
            .await
            .map_err(|source| doing(action())(source))?;
    }
    Ok(())
}

/// Tells sets of migrations apart.
#[cfg(test)]
pub(super) fn fingerprint() -> u64 {
    xxhash_rust::xxh3::xxh3_64(MIGRATIONS.concat().as_bytes())
}
