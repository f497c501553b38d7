//! One table of a commit: the next version, written as its difference from the head. The caller holds the transaction.

use roaring::RoaringBitmap;
use sqlx::AnyConnection;

use crate::blob::BlobKey;
use crate::job::{LoadKind, TableReceipt, VersionNumber};

use super::commit::{Moment, next_numbers};
use super::error::doing;
use super::rows::{
    bitmap, blob_key, count, integer, names, optional_integer, stored_bitmap, stored_count, stored_names,
};
use super::{CatalogError, CommitError, NewSlice, SliceDeletion, TableLoad};

/// The first version without a slice that is in the head: larger than any number a version gets.
pub(super) const NOT_REMOVED: i64 = i64::MAX;

/// A table before the load.
struct Before {
    /// Its number, new or old.
    table: i64,
    last_version: i64,
    /// `None`: it does not exist, or was dropped.
    head: Option<Head>,
}

struct Head {
    version: VersionNumber,
    primary_key: Vec<String>,
    rows: u64,
    bytes: u64,
}

/// Writes the new version of one table and makes it the head.
pub(super) async fn publish(
    connection: &mut AnyConnection,
    load: &TableLoad,
    moment: Moment,
    position: i64,
) -> Result<TableReceipt, CommitError> {
    let before = find_or_make(connection, load, moment).await?;
    let head_version = before.head.as_ref().map(|head| head.version);
    if load.kind != LoadKind::Replace && head_version != load.based_on {
        return Err(CommitError::HeadMoved {
            table: load.table.clone(),
        });
    }
    let version = before.last_version + 1;
    let left = match &before.head {
        None => Left::default(),
        Some(_) if load.kind == LoadKind::Replace => {
            remove_all(connection, load, before.table, version).await?
        }
        Some(head) => {
            rekey(connection, load, before.table, head).await?;
            delete_rows(connection, load, before.table, head, version).await?
        }
    };
    let first_slice = next_numbers(connection, "slice", load.slices.len()).await?;
    for (id, slice) in (first_slice..).zip(&load.slices) {
        insert_slice(connection, load, slice, id, before.table, version, moment).await?;
    }
    let rows_loaded = load
        .slices
        .iter()
        .map(|slice| slice.rows - slice.deleted.len())
        .sum();
    let bytes_loaded = load.slices.iter().map(|slice| slice.bytes).sum();
    let receipt = TableReceipt {
        table: load.table.clone(),
        version: VersionNumber(version.unsigned_abs()),
        load: load.kind,
        rows_loaded,
        rows_deleted: left.rows_deleted,
        rows_total: left.rows + rows_loaded,
        bytes_loaded,
    };
    insert_version(
        connection,
        load,
        &receipt,
        left.bytes + bytes_loaded,
        before.table,
        moment,
        position,
    )
    .await?;
    move_head(connection, load, &before, version, moment).await?;
    Ok(receipt)
}

/// What a load leaves of the head's rows.
#[derive(Default)]
struct Left {
    rows: u64,
    bytes: u64,
    rows_deleted: u64,
}

async fn find_or_make(
    connection: &mut AnyConnection,
    load: &TableLoad,
    moment: Moment,
) -> Result<Before, CatalogError> {
    let found = sqlx::query(
        "SELECT t.id, t.head, t.last_version, v.primary_key, v.row_count, v.byte_count
         FROM tables t LEFT JOIN versions v ON v.table_id = t.id AND v.version = t.head
         WHERE t.name = $1",
    )
    .bind(load.table.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(doing(format!("read the head of table {}", load.table)))?;
    if let Some(row) = found {
        let head = match optional_integer(&row, "head")? {
            None => None,
            Some(_) => Some(Head {
                version: VersionNumber(count(&row, "head")?),
                primary_key: names(&row, "primary_key")?,
                rows: count(&row, "row_count")?,
                bytes: count(&row, "byte_count")?,
            }),
        };
        return Ok(Before {
            table: integer(&row, "id")?,
            last_version: integer(&row, "last_version")?,
            head,
        });
    }
    let table = next_numbers(connection, "table", 1).await?;
    sqlx::query("INSERT INTO tables (id, name, last_version, first_created) VALUES ($1, $2, 0, $3)")
        .bind(table)
        .bind(load.table.as_str())
        .bind(moment.time)
        .execute(connection)
        .await
        .map_err(doing(format!("make table {}", load.table)))?;
    Ok(Before {
        table,
        last_version: 0,
        head: None,
    })
}

/// A replacing load counts no deleted rows: the old table goes as a whole.
async fn remove_all(
    connection: &mut AnyConnection,
    load: &TableLoad,
    table: i64,
    version: i64,
) -> Result<Left, CatalogError> {
    sqlx::query("UPDATE slices SET removed_version = $1 WHERE table_id = $2 AND removed_version = $3")
        .bind(version)
        .bind(table)
        .bind(NOT_REMOVED)
        .execute(connection)
        .await
        .map_err(doing(format!("replace the slices of table {}", load.table)))?;
    Ok(Left::default())
}

async fn rekey(
    connection: &mut AnyConnection,
    load: &TableLoad,
    table: i64,
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
            return Err(CatalogError::NotInHead {
                table: load.table.clone(),
                slice: *slice,
            });
        }
    }
    Ok(())
}

async fn delete_rows(
    connection: &mut AnyConnection,
    load: &TableLoad,
    table: i64,
    head: &Head,
    version: i64,
) -> Result<Left, CatalogError> {
    let mut left = Left {
        rows: head.rows,
        bytes: head.bytes,
        rows_deleted: 0,
    };
    for deletion in &load.deletions {
        let slice = live_slice(connection, load, deletion, table).await?;
        check_deletion(load, &slice.blob, slice.rows, &deletion.deleted)?;
        if !slice.deleted.is_subset(&deletion.deleted) {
            let problem = "bring back rows that were deleted before";
            return Err(CatalogError::Deletion {
                table: load.table.clone(),
                blob: slice.blob,
                problem,
            });
        }
        let newly_deleted = deletion.deleted.len() - slice.deleted.len();
        left.rows -= newly_deleted;
        left.rows_deleted += newly_deleted;
        if deletion.deleted.len() == slice.rows {
            // Nobody need read a slice of which nothing is left.
            left.bytes -= slice.bytes;
            remove_slice(connection, load, deletion, version).await?;
        } else if newly_deleted > 0 {
            insert_deletion(
                connection,
                load,
                stored_count(deletion.slice.0),
                version,
                &deletion.deleted,
            )
            .await?;
        }
    }
    Ok(left)
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
    load: &TableLoad,
    deletion: &SliceDeletion,
    table: i64,
) -> Result<LiveSlice, CatalogError> {
    let found = sqlx::query(
        "SELECT s.blob, s.row_count, s.byte_count, d.bitmap
         FROM slices s LEFT JOIN deletions d ON d.slice = s.id
         WHERE s.id = $1 AND s.table_id = $2 AND s.removed_version = $3
         ORDER BY d.from_version DESC LIMIT 1",
    )
    .bind(stored_count(deletion.slice.0))
    .bind(table)
    .bind(NOT_REMOVED)
    .fetch_optional(connection)
    .await
    .map_err(doing(format!(
        "read slice {} of table {}",
        deletion.slice, load.table
    )))?;
    let Some(row) = found else {
        return Err(CatalogError::NotInHead {
            table: load.table.clone(),
            slice: deletion.slice,
        });
    };
    Ok(LiveSlice {
        blob: blob_key(&row, "blob")?,
        rows: count(&row, "row_count")?,
        bytes: count(&row, "byte_count")?,
        deleted: bitmap(&row, "bitmap")?,
    })
}

fn check_deletion(
    load: &TableLoad,
    blob: &BlobKey,
    rows: u64,
    deleted: &RoaringBitmap,
) -> Result<(), CatalogError> {
    match deleted.max() {
        Some(last) if u64::from(last) >= rows => Err(CatalogError::Deletion {
            table: load.table.clone(),
            blob: blob.clone(),
            problem: "are more than it has",
        }),
        Some(_) | None => Ok(()),
    }
}

async fn remove_slice(
    connection: &mut AnyConnection,
    load: &TableLoad,
    deletion: &SliceDeletion,
    version: i64,
) -> Result<(), CatalogError> {
    sqlx::query("UPDATE slices SET removed_version = $1 WHERE id = $2")
        .bind(version)
        .bind(stored_count(deletion.slice.0))
        .execute(connection)
        .await
        .map_err(doing(format!(
            "remove slice {} of table {}",
            deletion.slice, load.table
        )))?;
    Ok(())
}

async fn insert_slice(
    connection: &mut AnyConnection,
    load: &TableLoad,
    slice: &NewSlice,
    id: i64,
    table: i64,
    version: i64,
    moment: Moment,
) -> Result<(), CatalogError> {
    check_deletion(load, &slice.blob, slice.rows, &slice.deleted)?;
    sqlx::query(
        "INSERT INTO slices (id, table_id, added_version, removed_version, blob, key_index, columns, row_count,
                             byte_count, checksum, imported)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(table)
    .bind(version)
    .bind(NOT_REMOVED)
    .bind(slice.blob.as_str())
    .bind(slice.key_index.as_ref().map(BlobKey::as_str))
    .bind(stored_names(&slice.columns))
    .bind(stored_count(slice.rows))
    .bind(stored_count(slice.bytes))
    .bind(slice.checksum.to_be_bytes().to_vec())
    .bind(moment.time)
    .execute(&mut *connection)
    .await
    .map_err(doing(format!("store slice {} of table {}", slice.blob, load.table)))?;
    if !slice.deleted.is_empty() {
        insert_deletion(connection, load, id, version, &slice.deleted).await?;
    }
    Ok(())
}

async fn insert_deletion(
    connection: &mut AnyConnection,
    load: &TableLoad,
    slice: i64,
    version: i64,
    deleted: &RoaringBitmap,
) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO deletions (slice, from_version, bitmap) VALUES ($1, $2, $3)")
        .bind(slice)
        .bind(version)
        .bind(stored_bitmap(deleted)?)
        .execute(connection)
        .await
        .map_err(doing(format!(
            "store the deleted rows of slice {slice} of table {}",
            load.table
        )))?;
    Ok(())
}

async fn insert_version(
    connection: &mut AnyConnection,
    load: &TableLoad,
    receipt: &TableReceipt,
    bytes_total: u64,
    table: i64,
    moment: Moment,
    position: i64,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO versions (table_id, version, created, columns, primary_key, row_count, byte_count, load, job,
                               position, rows_loaded, rows_deleted, bytes_loaded)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(table)
    .bind(stored_count(receipt.version.0))
    .bind(moment.time)
    .bind(stored_names(&load.columns))
    .bind(stored_names(&load.primary_key))
    .bind(stored_count(receipt.rows_total))
    .bind(stored_count(bytes_total))
    .bind(load.kind.as_str())
    .bind(moment.job.map(|job| job.to_string()))
    .bind(position)
    .bind(stored_count(receipt.rows_loaded))
    .bind(stored_count(receipt.rows_deleted))
    .bind(stored_count(receipt.bytes_loaded))
    .execute(connection)
    .await
    .map_err(doing(format!("store version {} of table {}", receipt.version, load.table)))?;
    Ok(())
}

async fn move_head(
    connection: &mut AnyConnection,
    load: &TableLoad,
    before: &Before,
    version: i64,
    moment: Moment,
) -> Result<(), CatalogError> {
    let action = doing(format!("move the head of table {}", load.table));
    let query = if before.head.is_some() {
        sqlx::query(
            "UPDATE tables SET head = $1, last_version = $1, description = COALESCE($2, description) WHERE id = $3",
        )
        .bind(version)
        .bind(load.description.as_deref())
        .bind(before.table)
    } else {
        // Made, or made again after a drop: nothing of the dropped one is left but its version numbers.
        sqlx::query(
            "UPDATE tables SET head = $1, last_version = $1, description = $2, first_created = $3 WHERE id = $4",
        )
        .bind(version)
        .bind(load.description.as_deref())
        .bind(moment.time)
        .bind(before.table)
    };
    query.execute(connection).await.map_err(action)?;
    Ok(())
}
