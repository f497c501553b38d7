//! One table of a commit: the next version, written as its difference from the head. The caller holds the transaction.

use sqlx::AnyConnection;

use crate::job::{LoadKind, TableReceipt, VersionNumber};

use super::commit::{Moment, next_numbers};
use super::error::doing;
use super::rows::{count, integer, names, optional_integer, stored_count, stored_names, stored_text};
use super::{CatalogError, CommitError, TableLoad, slices};

/// A load on its way to a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loading<'a> {
    pub(super) load: &'a TableLoad,
    /// The table's number.
    pub(super) table: i64,
    /// The version that the load makes.
    pub(super) version: i64,
    pub(super) moment: Moment,
}

/// The current version of a table, before the load.
pub(super) struct Head {
    pub(super) version: VersionNumber,
    pub(super) primary_key: Vec<String>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Writes the new version of one table and makes it the head. `position` is the table's place in the commit.
pub(super) async fn publish(
    connection: &mut AnyConnection,
    load: &TableLoad,
    moment: Moment,
    position: i64,
) -> Result<TableReceipt, CommitError> {
    let (table, last_version, head) = find_or_make(connection, load, moment).await?;
    let head_version = head.as_ref().map(|head| head.version);
    if load.kind != LoadKind::Replace && head_version != load.based_on {
        return Err(CommitError::HeadMoved { table: load.table.clone() });
    }
    let loading = Loading { load, table, version: last_version + 1, moment };
    let left = match &head {
        None => slices::Left::default(),
        Some(_) if load.kind == LoadKind::Replace => slices::remove_all(connection, loading).await?,
        Some(head) => {
            slices::rekey(connection, loading, head).await?;
            slices::delete_rows(connection, loading, head).await?
        }
    };
    let added = slices::add(connection, loading).await?;
    let receipt = TableReceipt {
        table: load.table.clone(),
        version: VersionNumber(loading.version.unsigned_abs()),
        load: load.kind,
        rows_loaded: added.rows,
        rows_deleted: left.rows_deleted,
        rows_total: left.rows + added.rows,
        bytes_loaded: added.bytes,
    };
    insert_version(connection, loading, &receipt, left.bytes + added.bytes, position).await?;
    move_head(connection, loading, head.is_some()).await?;
    Ok(receipt)
}

/// The table's number, the last version number it gave out, and its head unless it is new or was dropped.
async fn find_or_make(
    connection: &mut AnyConnection,
    load: &TableLoad,
    moment: Moment,
) -> Result<(i64, i64, Option<Head>), CatalogError> {
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
        return Ok((integer(&row, "id")?, integer(&row, "last_version")?, head));
    }
    let table = next_numbers(connection, "table", 1).await?;
    sqlx::query("INSERT INTO tables (id, name, last_version, first_created) VALUES ($1, $2, 0, $3)")
        .bind(table)
        .bind(load.table.as_str())
        .bind(moment.time)
        .execute(connection)
        .await
        .map_err(doing(format!("make table {}", load.table)))?;
    Ok((table, 0, None))
}

async fn insert_version(
    connection: &mut AnyConnection,
    Loading { load, table, version, moment }: Loading<'_>,
    receipt: &TableReceipt,
    bytes_total: u64,
    position: i64,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO versions (table_id, version, created, columns, primary_key, row_count, byte_count, load, job,
                               position, rows_loaded, rows_deleted, bytes_loaded)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(table)
    .bind(version)
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
    .map_err(doing(format!("store version {version} of table {}", load.table)))?;
    Ok(())
}

async fn move_head(
    connection: &mut AnyConnection,
    Loading { load, table, version, moment }: Loading<'_>,
    had_head: bool,
) -> Result<(), CatalogError> {
    let query = if had_head {
        sqlx::query(
            "UPDATE tables SET head = $1, last_version = $1, description = COALESCE($2, description) WHERE id = $3",
        )
        .bind(version)
        .bind(load.description.as_deref().map(stored_text))
        .bind(table)
    } else {
        // Made, or made again after a drop: nothing of the dropped one is left but its version numbers.
        sqlx::query(
            "UPDATE tables SET head = $1, last_version = $1, description = $2, first_created = $3 WHERE id = $4",
        )
        .bind(version)
        .bind(load.description.as_deref().map(stored_text))
        .bind(moment.time)
        .bind(table)
    };
    query.execute(connection).await.map_err(doing(format!("move the head of table {}", load.table)))?;
    Ok(())
}
