//! Keeping house: dropping tables, forgetting old versions, and saying which blobs are still needed. Removing blobs is
//! somebody else's work.

use jiff::Timestamp;
use sqlx::AnyConnection;

use crate::blob::BlobKey;
use crate::job::TableId;

use super::commit::hold_counter;
use super::error::doing;
use super::rows::{blob_key, integer, stored_now, time};
use super::{Catalog, CatalogError};

impl Catalog {
    /// Forgets a table with all versions; its blobs go with the next gc. False: there was none; after a lost
    /// answer, one that is not there counts as dropped by this call.
    pub(crate) async fn drop_table(&self, table: &TableId) -> Result<bool, CatalogError> {
        let action = || doing(format!("drop table {table}"));
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            // No commit is computing against what goes.
            hold_counter(&mut transaction, "commit_time").await?;
            let dropped = sqlx::query(
                "UPDATE tables SET head = NULL, description = NULL WHERE name = $1 AND head IS NOT NULL RETURNING id",
            )
            .bind(table.as_str())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(action())?;
            let Some(row) = dropped else { return Ok(turn.is_again()) };
            let number = integer(&row, "id")?;
            sqlx::query("UPDATE versions SET forgotten = $1 WHERE table_id = $2 AND forgotten IS NULL")
                .bind(stored_now())
                .bind(number)
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            // Their deletions go with them.
            sqlx::query("DELETE FROM slices WHERE table_id = $1")
                .bind(number)
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            transaction.commit().await.map_err(action())?;
            Ok(true)
        })
        .await
    }

    /// Forgets versions of every table that had been replaced by a newer one before `before`, never the head; returns
    /// how many (fewer after a lost answer: those that are left). Every moment from `before` on can still be asked for.
    pub(crate) async fn forget_versions(&self, before: Timestamp) -> Result<u64, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            // No commit is computing against what goes.
            hold_counter(&mut transaction, "commit_time").await?;
            let forgotten = sqlx::query(
                "UPDATE versions SET forgotten = $1 WHERE forgotten IS NULL AND EXISTS
                    (SELECT 1 FROM versions n WHERE n.table_id = versions.table_id
                     AND n.version = versions.version + 1 AND n.created <= $2)",
            )
            .bind(stored_now())
            .bind(before.as_microsecond())
            .execute(&mut *transaction)
            .await
            .map_err(doing("forget old versions"))?;
            drop_unneeded(&mut transaction).await?;
            transaction.commit().await.map_err(doing("forget old versions"))?;
            Ok(forgotten.rows_affected())
        })
        .await
    }

    /// When versions were last forgotten, or a table dropped. Whoever began before may still read what they had.
    pub(crate) async fn last_forgetting(&self) -> Result<Option<Timestamp>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let newest =
                "SELECT forgotten FROM versions WHERE forgotten IS NOT NULL ORDER BY forgotten DESC LIMIT 1";
            let row = sqlx::query(newest)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(doing("ask when versions were forgotten"))?;
            row.map(|row| time(&row, "forgotten")).transpose()
        })
        .await
    }

    /// Every blob that some version, file or job needs, for gc. In no order; a blob may be named twice.
    pub(crate) async fn referenced_blobs(&self) -> Result<Vec<BlobKey>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT blob FROM slices
                 UNION ALL SELECT key_index AS blob FROM slices WHERE key_index IS NOT NULL
                 UNION ALL SELECT blob FROM files
                 UNION ALL SELECT log AS blob FROM jobs WHERE log IS NOT NULL",
            )
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the blobs that are needed"))?;
            rows.iter().map(|row| blob_key(row, "blob")).collect()
        })
        .await
    }
}

/// Removes slices that no version that can be read has, and deletions that another one hides in all of them.
async fn drop_unneeded(connection: &mut AnyConnection) -> Result<(), CatalogError> {
    sqlx::query(
        "DELETE FROM slices WHERE NOT EXISTS
            (SELECT 1 FROM versions v WHERE v.table_id = slices.table_id AND v.forgotten IS NULL
             AND v.version >= slices.added_version AND v.version < slices.removed_version)",
    )
    .execute(&mut *connection)
    .await
    .map_err(doing("forget slices that no version needs"))?;
    sqlx::query(
        "DELETE FROM deletions WHERE EXISTS
            (SELECT 1 FROM deletions n JOIN slices s ON s.id = n.slice
             WHERE n.slice = deletions.slice AND n.from_version > deletions.from_version AND NOT EXISTS
                (SELECT 1 FROM versions v WHERE v.table_id = s.table_id AND v.forgotten IS NULL
                 AND v.version >= deletions.from_version AND v.version < n.from_version))",
    )
    .execute(connection)
    .await
    .map_err(doing("forget deletions that no version needs"))?;
    Ok(())
}
