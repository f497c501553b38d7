//! Reading tables: heads, old versions, their slices.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::job::{JobId, Receipt, TableId, TableReceipt, VersionNumber};

use super::commit::Published;
use super::error::doing;
use super::rows::{
    bitmap, blob_key, checksum, count, load_kind, names, optional_blob_key, optional_integer,
    optional_parsed, parsed, stored_count, time,
};
use super::{At, Catalog, CatalogError, Slice, SliceId, TableSummary, TableVersion};

/// Versions that can be read, with their tables.
macro_rules! select_versions {
    ($rest:literal) => {
        concat!(
            "SELECT t.id AS table_id, t.name, t.head, t.first_created, v.version, v.created, v.columns, v.primary_key,
                    v.row_count, v.byte_count, v.load, v.job, v.forgotten
             FROM tables t JOIN versions v ON v.table_id = t.id ",
            $rest
        )
    };
}

impl Catalog {
    /// The heads of all tables, by name.
    pub(crate) async fn tables(&self) -> Result<Vec<TableSummary>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(select_versions!("WHERE v.version = t.head"))
                .fetch_all(&mut *transaction)
                .await
                .map_err(doing("list the tables"))?;
            let mut tables = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
            // The databases sort text by different rules.
            tables.sort_by(|a, b| a.table.cmp(&b.table));
            Ok(tables)
        })
        .await
    }

    /// `None`: no such table, or not (yet, or any more) at that version or time.
    pub(crate) async fn table(&self, table: &TableId, at: At) -> Result<Option<TableVersion>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            read_table(&mut transaction, table, at).await
        })
        .await
    }

    /// The head of several tables, read in one transaction: one snapshot.
    pub(crate) async fn snapshot(
        &self,
        tables: &[TableId],
    ) -> Result<Vec<Option<TableVersion>>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let mut found = Vec::with_capacity(tables.len());
            for table in tables {
                found.push(read_table(&mut transaction, table, At::Head).await?);
            }
            Ok(found)
        })
        .await
    }

    /// The versions of a table that can be read, oldest first; empty when there is no such table.
    pub(crate) async fn history(&self, table: &TableId) -> Result<Vec<TableSummary>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows =
                sqlx::query(select_versions!("WHERE t.name = $1 AND v.forgotten IS NULL ORDER BY v.version"))
                    .bind(table.as_str())
                    .fetch_all(&mut *transaction)
                    .await
                    .map_err(doing(format!("read the history of table {table}")))?;
            rows.iter().map(summary).collect()
        })
        .await
    }

    /// What a job has published so far, in the order it did; also after its versions were forgotten.
    pub(crate) async fn outputs_of(&self, job: JobId) -> Result<Receipt, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let tables = receipts_of(&mut transaction, Published::By(job)).await?;
            let files = super::files::receipts_of(&mut transaction, Published::By(job)).await?;
            Ok(Receipt { tables, files })
        })
        .await
    }
}

/// Receipts of versions by some condition.
macro_rules! select_receipts {
    ($rest:literal) => {
        concat!(
            "SELECT t.name, v.version, v.load, v.rows_loaded, v.rows_deleted, v.row_count, v.bytes_loaded
             FROM versions v JOIN tables t ON t.id = v.table_id WHERE ",
            $rest,
            " ORDER BY v.created, v.position"
        )
    };
}

/// The tables that were published, in the order they were; also after their versions were forgotten.
pub(super) async fn receipts_of(
    connection: &mut AnyConnection,
    published: Published,
) -> Result<Vec<TableReceipt>, CatalogError> {
    let query = match published {
        Published::By(job) => sqlx::query(select_receipts!("v.job = $1")).bind(job.to_string()),
        Published::At(time) => sqlx::query(select_receipts!("v.created = $1")).bind(time),
    };
    let rows = query.fetch_all(connection).await.map_err(doing("read what was published"))?;
    rows.iter().map(receipt).collect()
}

async fn read_table(
    connection: &mut AnyConnection,
    table: &TableId,
    at: At,
) -> Result<Option<TableVersion>, CatalogError> {
    let query = match at {
        At::Head => {
            sqlx::query(select_versions!("WHERE t.name = $1 AND v.version = t.head")).bind(table.as_str())
        }
        At::Version(version) => sqlx::query(select_versions!("WHERE t.name = $1 AND v.version = $2"))
            .bind(table.as_str())
            .bind(stored_count(version.0)),
        // Of all versions, and not of those that can be read: an older one was not the head at that moment.
        At::Time(moment) => sqlx::query(select_versions!(
            "WHERE t.name = $1 AND v.created <= $2 ORDER BY v.version DESC LIMIT 1"
        ))
        .bind(table.as_str())
        .bind(moment.as_microsecond()),
    };
    let found = query.fetch_optional(&mut *connection).await.map_err(doing(format!("read table {table}")))?;
    let Some(row) = found else { return Ok(None) };
    if optional_integer(&row, "forgotten")?.is_some() {
        return Ok(None);
    }
    let TableSummary {
        table,
        version,
        first_created: _,
        created,
        columns,
        primary_key,
        rows,
        bytes,
        load,
        job,
    } = summary(&row)?;
    let slices = read_slices(connection, super::rows::integer(&row, "table_id")?, version, &table).await?;
    Ok(Some(TableVersion { table, version, created, columns, primary_key, rows, bytes, load, job, slices }))
}

async fn read_slices(
    connection: &mut AnyConnection,
    table_number: i64,
    version: VersionNumber,
    table: &TableId,
) -> Result<Vec<Slice>, CatalogError> {
    let rows = sqlx::query(
        "SELECT s.id, s.blob, s.key_index, s.columns, s.row_count, s.byte_count, s.checksum, s.imported, d.bitmap
         FROM slices s LEFT JOIN deletions d ON d.slice = s.id AND d.from_version =
            (SELECT MAX(n.from_version) FROM deletions n WHERE n.slice = s.id AND n.from_version <= $1)
         WHERE s.table_id = $2 AND s.removed_version > $1 AND s.added_version <= $1
         ORDER BY s.id",
    )
    .bind(stored_count(version.0))
    .bind(table_number)
    .fetch_all(connection)
    .await
    .map_err(doing(format!("read the slices of table {table}")))?;
    rows.iter().map(slice).collect()
}

fn slice(row: &AnyRow) -> Result<Slice, CatalogError> {
    Ok(Slice {
        id: SliceId(count(row, "id")?),
        blob: blob_key(row, "blob")?,
        key_index: optional_blob_key(row, "key_index")?,
        columns: names(row, "columns")?,
        rows: count(row, "row_count")?,
        bytes: count(row, "byte_count")?,
        checksum: checksum(row, "checksum")?,
        imported: time(row, "imported")?,
        deleted: bitmap(row, "bitmap")?,
    })
}

fn summary(row: &AnyRow) -> Result<TableSummary, CatalogError> {
    Ok(TableSummary {
        table: parsed(row, "name")?,
        version: VersionNumber(count(row, "version")?),
        first_created: time(row, "first_created")?,
        created: time(row, "created")?,
        columns: names(row, "columns")?,
        primary_key: names(row, "primary_key")?,
        rows: count(row, "row_count")?,
        bytes: count(row, "byte_count")?,
        load: load_kind(row, "load")?,
        job: optional_parsed(row, "job")?,
    })
}

fn receipt(row: &AnyRow) -> Result<TableReceipt, CatalogError> {
    Ok(TableReceipt {
        table: parsed(row, "name")?,
        version: VersionNumber(count(row, "version")?),
        load: load_kind(row, "load")?,
        rows_loaded: count(row, "rows_loaded")?,
        rows_deleted: count(row, "rows_deleted")?,
        rows_total: count(row, "row_count")?,
        bytes_loaded: count(row, "bytes_loaded")?,
    })
}
