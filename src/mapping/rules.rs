//! What must hold between a load and the table it goes to: columns, primary key. Pure.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use super::beneath::UnsafeError;
use super::plan::{clean_key, key_differs, quoted, same_key};
use super::slicing::SliceError;
use crate::blob::BlobError;
use crate::catalog::{CatalogError, TableVersion};
use crate::csv::CsvError;
use crate::job::{LoadKind, TableId, TableOptions};

/// Why an output cannot be loaded into its table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error(transparent)]
    Unsafe(#[from] UnsafeError),
    /// The rows themselves are wrong, or could not be read or written; [`CsvError::io`] tells the two apart.
    #[error("table {table}: {source}")]
    Csv { table: TableId, source: Box<CsvError> },
    #[error("{path} lacks {columns} of table {table}: write all columns of the table, in any order, or drop it first",
        columns = quoted(columns))]
    ColumnsMissing { path: String, table: TableId, columns: Vec<String> },
    #[error("{path} has a column without a name among {columns}", columns = quoted(columns))]
    ColumnUnnamed { path: String, columns: Vec<String> },
    #[error("{path} has the column {column:?} twice")]
    ColumnTwice { path: String, column: String },
    #[error("{path} lacks {columns} of the primary key of table {table}", columns = quoted(columns))]
    KeyColumnsMissing { path: String, table: TableId, columns: Vec<String> },
    #[error("{}", key_differs(table, said, has))]
    KeyDiffers { table: TableId, said: Vec<String>, has: Vec<String> },
    /// A key was to be put on rows that already break it.
    #[error("table {table} has {rows} rows whose {key} occurs again: they cannot get that primary key", key = quoted(key))]
    KeyDuplicates { table: TableId, key: Vec<String>, rows: u64 },
    /// The rows that are there have no value for a column of the new key.
    #[error("the rows of table {table} have no column {column:?}, so it cannot be in their primary key")]
    KeyColumnNew { table: TableId, column: String },
    #[error("delete_where asks for column {column:?}, which is not in table {table}: it has {columns}",
        columns = quoted(columns))]
    DeleteColumnUnknown { table: TableId, column: String, columns: Vec<String> },
    #[error("could not {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("could not store or fetch {what}")]
    Blob { what: String, source: BlobError },
    #[error(transparent)]
    Catalog(CatalogError),
}

impl UploadError {
    pub(super) fn of_table(error: SliceError, table: &TableId) -> Self {
        match error {
            SliceError::Csv(source) => Self::Csv { table: table.clone(), source: Box::new(source) },
            SliceError::Io { action, path, source } => Self::Io { action, path, source },
        }
    }
}

/// How one load meets its table, as mapping and manifest ask.
#[derive(Debug, Clone)]
pub(super) struct LoadRules {
    pub(super) table: TableId,
    pub(super) options: TableOptions,
}

impl LoadRules {
    /// The key the table has after the load: what was said, else its own. Named in the table's own order where it is
    /// the same key, because the order counts in key indexes.
    pub(super) fn effective_key(&self, head: Option<&TableVersion>) -> Result<Vec<String>, UploadError> {
        let has = head.map(|head| head.primary_key.clone());
        let Some(said) = &self.options.primary_key else {
            return Ok(has.unwrap_or_default());
        };
        let said = clean_key(said);
        match has {
            None => Ok(said),
            Some(has) if same_key(&said, &has) => Ok(has),
            Some(_) if self.options.primary_key_change == Some(true) => Ok(said),
            Some(has) => Err(UploadError::KeyDiffers { table: self.table.clone(), said, has }),
        }
    }

    pub(super) fn kind(&self, key: &[String]) -> LoadKind {
        self.options.load_kind(key)
    }

    /// The columns the table has after the load: its own in their order, then what the load brings.
    pub(super) fn table_columns(
        &self,
        shown: &str,
        columns: &[String],
        head: Option<&TableVersion>,
    ) -> Result<Vec<String>, UploadError> {
        let mut brought = HashSet::new();
        for column in columns {
            if column.is_empty() {
                return Err(UploadError::ColumnUnnamed { path: shown.into(), columns: columns.to_vec() });
            }
            if !brought.insert(column) {
                return Err(UploadError::ColumnTwice { path: shown.into(), column: column.clone() });
            }
        }
        let Some(head) = head else {
            return Ok(columns.to_vec());
        };
        let missing: Vec<String> =
            head.columns.iter().filter(|column| !brought.contains(column)).cloned().collect();
        if !missing.is_empty() {
            let (path, table) = (shown.into(), self.table.clone());
            return Err(UploadError::ColumnsMissing { path, table, columns: missing });
        }
        let has: HashSet<&String> = head.columns.iter().collect();
        let added = columns.iter().filter(|column| !has.contains(column));
        Ok(head.columns.iter().chain(added).cloned().collect())
    }

    /// Every key column must be among the load's.
    pub(super) fn check_key(
        &self,
        shown: &str,
        columns: &[String],
        key: &[String],
    ) -> Result<(), UploadError> {
        let brought: HashSet<&String> = columns.iter().collect();
        let missing: Vec<String> = key.iter().filter(|column| !brought.contains(column)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(UploadError::KeyColumnsMissing {
            path: shown.into(),
            table: self.table.clone(),
            columns: missing,
        })
    }

    pub(super) fn check_delete_columns(&self, head: &TableVersion) -> Result<(), UploadError> {
        let filters = self.options.delete_where.iter().flatten().flat_map(|deletion| &deletion.filters);
        match filters.into_iter().find(|filter| !head.columns.contains(&filter.column)) {
            None => Ok(()),
            Some(filter) => Err(UploadError::DeleteColumnUnknown {
                table: self.table.clone(),
                column: filter.column.clone(),
                columns: head.columns.clone(),
            }),
        }
    }
}
