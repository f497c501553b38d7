//! What a load does to slices: adds its own, marks old ones as removed from its version on, records the rows it
//! deletes. Nothing that an older version reads is changed.

use std::sync::LazyLock;

use roaring::RoaringBitmap;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::blob::BlobKey;

use super::batch::{BATCH, placeholders};
use super::commit::next_numbers;
use super::error::doing;
use super::load::{Head, Loading};
use super::rows::{bitmap, blob_key, count, stored_bitmap, stored_count, stored_names};
use super::{CatalogError, NewSlice, SliceDeletion, SliceId};

/// The first version without a slice that is in the head: larger than any number a version gets.
const NOT_REMOVED: i64 = i64::MAX;

static INSERT_BATCH: LazyLock<String> = LazyLock::new(|| insert_sql(BATCH));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_sql(1));

/// What a load leaves of the head.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) rows_deleted: u64,
}

/// What a load brings.
#[derive(Debug)]
pub(super) struct Added {
    /// Those that count.
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// A replacing load counts no deleted rows: the old table goes as a whole.
pub(super) async fn remove_all(
    connection: &mut AnyConnection,
    loading: Loading<'_>,
) -> Result<Left, CatalogError> {
    sqlx::query("UPDATE slices SET removed_version = $1 WHERE table_id = $2 AND removed_version = $3")
        .bind(loading.version)
        .bind(loading.table)
        .bind(NOT_REMOVED)
        .execute(connection)
        .await
        .map_err(doing(format!("replace the slices of table {}", loading.load.table)))?;
    Ok(Left::default())
}

/// Stores new key indexes and forgets those of another key than the load's.
pub(super) async fn rekey(
    connection: &mut AnyConnection,
    Loading { load, table, .. }: Loading<'_>,
    head: &Head,
) -> Result<(), CatalogError> {
    let action = || doing(format!("store key indexes of table {}", load.table));
    if head.primary_key != load.primary_key {
        sqlx::query("UPDATE slices SET key_index = NULL WHERE table_id = $1 AND removed_version = $2")
            .bind(table)
            .bind(NOT_REMOVED)
            .execute(&mut *connection)
            .await
            .map_err(action())?;
    }
    for (slice, index) in &load.rekeyed {
        let stored = sqlx::query(
            "UPDATE slices SET key_index = $1 WHERE id = $2 AND table_id = $3 AND removed_version = $4",
        )
        .bind(index.as_str())
        .bind(stored_count(slice.0))
        .bind(table)
        .bind(NOT_REMOVED)
        .execute(&mut *connection)
        .await
        .map_err(action())?;
        if stored.rows_affected() == 0 {
            return Err(CatalogError::NotInHead { table: load.table.clone(), slice: *slice });
        }
    }
    Ok(())
}

/// Deletes rows from slices of the head.
pub(super) async fn delete_rows(
    connection: &mut AnyConnection,
    loading: Loading<'_>,
    head: &Head,
) -> Result<Left, CatalogError> {
    let mut left = Left { rows: head.rows, bytes: head.bytes, rows_deleted: 0 };
    for SliceDeletion { slice, deleted } in &loading.load.deletions {
        let before = live_slice(connection, loading, *slice).await?;
        check_fits(loading, &before.blob, before.rows, deleted)?;
        if !before.deleted.is_subset(deleted) {
            let problem = "bring back rows that were deleted before";
            return Err(CatalogError::Deletion {
                table: loading.load.table.clone(),
                blob: before.blob,
                problem,
            });
        }
        let newly_deleted = deleted.len() - before.deleted.len();
        left.rows -= newly_deleted;
        left.rows_deleted += newly_deleted;
        if deleted.len() == before.rows {
            // Nobody need read a slice of which nothing is left.
            left.bytes -= before.bytes;
            remove(connection, loading, *slice).await?;
        } else if newly_deleted > 0 {
            insert_deletion(connection, loading, stored_count(slice.0), deleted).await?;
        }
    }
    Ok(left)
}

/// Adds the load's slices, in their order.
pub(super) async fn add(connection: &mut AnyConnection, loading: Loading<'_>) -> Result<Added, CatalogError> {
    let slices = &loading.load.slices;
    let mut added = Added { rows: 0, bytes: 0 };
    let first = next_numbers(connection, "slice", slices.len()).await?;
    for slice in slices {
        check_fits(loading, &slice.blob, slice.rows, &slice.deleted)?;
        added.rows += slice.rows - slice.deleted.len();
        added.bytes += slice.bytes;
    }
    let (batches, rest) = slices.as_chunks::<BATCH>();
    let mut ids = first..;
    for batch in batches {
        insert(connection, loading, &INSERT_BATCH, batch.iter().zip(&mut ids)).await?;
    }
    for one in rest.iter().zip(&mut ids) {
        insert(connection, loading, &INSERT_ONE, std::iter::once(one)).await?;
    }
    for (id, slice) in (first..).zip(slices).filter(|(_, slice)| !slice.deleted.is_empty()) {
        insert_deletion(connection, loading, id, &slice.deleted).await?;
    }
    Ok(added)
}

/// A slice of the head, as a deletion finds it.
struct LiveSlice {
    blob: BlobKey,
    rows: u64,
    bytes: u64,
    deleted: RoaringBitmap,
}

async fn live_slice(
    connection: &mut AnyConnection,
    Loading { load, table, .. }: Loading<'_>,
    slice: SliceId,
) -> Result<LiveSlice, CatalogError> {
    let found = sqlx::query(
        "SELECT s.blob, s.row_count, s.byte_count, d.bitmap
         FROM slices s LEFT JOIN deletions d ON d.slice = s.id
         WHERE s.id = $1 AND s.table_id = $2 AND s.removed_version = $3
         ORDER BY d.from_version DESC LIMIT 1",
    )
    .bind(stored_count(slice.0))
    .bind(table)
    .bind(NOT_REMOVED)
    .fetch_optional(connection)
    .await
    .map_err(doing(format!("read slice {slice} of table {}", load.table)))?;
    let Some(row) = found else {
        return Err(CatalogError::NotInHead { table: load.table.clone(), slice });
    };
    Ok(LiveSlice {
        blob: blob_key(&row, "blob")?,
        rows: count(&row, "row_count")?,
        bytes: count(&row, "byte_count")?,
        deleted: bitmap(&row, "bitmap")?,
    })
}

fn check_fits(
    loading: Loading<'_>,
    blob: &BlobKey,
    rows: u64,
    deleted: &RoaringBitmap,
) -> Result<(), CatalogError> {
    if deleted.max().is_none_or(|last| u64::from(last) < rows) {
        return Ok(());
    }
    let problem = "are more than it has";
    Err(CatalogError::Deletion { table: loading.load.table.clone(), blob: blob.clone(), problem })
}

async fn remove(
    connection: &mut AnyConnection,
    loading: Loading<'_>,
    slice: SliceId,
) -> Result<(), CatalogError> {
    sqlx::query("UPDATE slices SET removed_version = $1 WHERE id = $2")
        .bind(loading.version)
        .bind(stored_count(slice.0))
        .execute(connection)
        .await
        .map_err(doing(format!("remove slice {slice} of table {}", loading.load.table)))?;
    Ok(())
}

fn insert_sql(lines: usize) -> String {
    let values = placeholders(lines, 11);
    format!(
        "INSERT INTO slices (id, table_id, added_version, removed_version, blob, key_index, columns, row_count,
                             byte_count, checksum, imported)
         VALUES {values}"
    )
}

/// As many slices as the statement has lines, with their ids.
async fn insert(
    connection: &mut AnyConnection,
    loading: Loading<'_>,
    sql: &'static LazyLock<String>,
    slices: impl Iterator<Item = (&NewSlice, i64)>,
) -> Result<(), CatalogError> {
    let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
    for (slice, id) in slices {
        query = query
            .bind(id)
            .bind(loading.table)
            .bind(loading.version)
            .bind(NOT_REMOVED)
            .bind(slice.blob.as_str().to_owned())
            .bind(slice.key_index.as_ref().map(|index| index.as_str().to_owned()))
            .bind(stored_names(&slice.columns))
            .bind(stored_count(slice.rows))
            .bind(stored_count(slice.bytes))
            .bind(slice.checksum.to_be_bytes().to_vec())
            .bind(loading.moment.time);
    }
    query
        .execute(connection)
        .await
        .map_err(doing(format!("store the slices of table {}", loading.load.table)))?;
    Ok(())
}

async fn insert_deletion(
    connection: &mut AnyConnection,
    loading: Loading<'_>,
    slice: i64,
    deleted: &RoaringBitmap,
) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO deletions (slice, from_version, bitmap) VALUES ($1, $2, $3)")
        .bind(slice)
        .bind(loading.version)
        .bind(stored_bitmap(deleted)?)
        .execute(connection)
        .await
        .map_err(doing(format!("store the deleted rows of slice {slice} of table {}", loading.load.table)))?;
    Ok(())
}
