//! Tables brought in and taken out by hand, by the same rules as a job's.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use super::plan::Fetch;
use super::progress::ProgressSink;
use super::publish::{Publication, PublishError, commit};
use super::rules::{LoadRules, UploadError};
use super::shelf::{Origin, Shelf};
use super::stage::{StageError, TableWriter};
use super::threads::blocking;
use super::upload::{Prepared, Uploading, convert_file, scratch};
use crate::blob::BlobStore;
use crate::catalog::{Catalog, TableVersion};
use crate::csv::{Copied, Selection, WriteDialect, write_header};
use crate::job::{Receipt, TableId, TableOptions};

/// Why a file did not become a table.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Imports a person's file, which stays as it is, into a table. The file may be a pipe.
pub async fn import_table(
    path: &Path,
    table: TableId,
    options: TableOptions,
    catalog: &Catalog,
    blob: &BlobStore,
    progress: &ProgressSink,
) -> Result<Receipt, ImportError> {
    let heads = catalog
        .snapshot(std::slice::from_ref(&table))
        .await
        .map_err(UploadError::Catalog)?;
    let head = heads.into_iter().next().flatten();
    let shelf = Shelf::fresh(Origin::Import);
    let scratch = scratch(blob).await?;
    let uploading = Uploading {
        catalog,
        blob,
        progress,
        shelf: &shelf,
        scratch: scratch.path(),
    };
    let rules = LoadRules { table, options };
    let converted = convert_file(&uploading, path.to_owned(), &rules, head).await;
    blocking(move || drop(scratch)).await;
    let prepared = match converted {
        Ok(table) => Prepared {
            tables: vec![table],
            files: Vec::new(),
            shelf,
            origin: Origin::Import,
        },
        Err(error) => {
            // The file's own error is the one to tell; what cannot be removed now is found by the next gc.
            if let Err(leftover) = shelf.clear(blob).await {
                tracing::warn!(error = %leftover, "could not remove an import that failed");
            }
            return Err(error.into());
        }
    };
    Ok(commit(prepared, Publication::default(), catalog, blob).await?)
}

/// How a table is taken out.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Columns in order, empty for all; filters.
    pub selection: Selection,
    pub write: WriteDialect,
    pub header: bool,
    pub rows_max: Option<u64>,
}

/// Why a table could not be taken out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("table {table} has no column {column:?}")]
    ColumnUnknown { table: TableId, column: String },
    #[error("could not write the header of table {table}")]
    Header { table: TableId, source: io::Error },
    #[error("could not finish writing table {table}")]
    Flush { table: TableId, source: io::Error },
    #[error(transparent)]
    Rows(#[from] StageError),
}

impl ExportError {
    /// Whoever read the output has gone (`| head`): no reason to complain.
    pub fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Header { source, .. } | Self::Flush { source, .. } => Some(source),
            Self::Rows(StageError::Slice { source, .. }) => source.io(),
            Self::Rows(StageError::Io { source, .. }) => Some(source),
            Self::Rows(StageError::Folder(_) | StageError::Blob { .. }) | Self::ColumnUnknown { .. } => None,
        };
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writes the rows of one version to `output`; counts rows without, bytes with the header.
pub async fn export_table<W: Write + Send + 'static>(
    version: TableVersion,
    options: ExportOptions,
    blob: &BlobStore,
    mut output: W,
    progress: &ProgressSink,
) -> Result<Copied, ExportError> {
    let ExportOptions {
        selection,
        write,
        header,
        rows_max,
    } = options;
    check_selection(&version, &selection)?;
    let columns = if selection.columns.is_empty() {
        version.columns.clone()
    } else {
        selection.columns
    };
    let filters = selection.filters;
    let fetch = Fetch {
        destination: String::new(),
        version,
        columns,
        filters,
        imported_since: None,
        rows_max,
    };
    let (blob, progress) = (blob.clone(), progress.clone());
    blocking(move || {
        let table = || fetch.version.table.clone();
        let header_bytes = match header {
            false => 0,
            true => {
                write_header(&fetch.columns, write, &mut output).map_err(|source| ExportError::Header {
                    table: table(),
                    source,
                })?
            }
        };
        let writer = TableWriter {
            fetch: &fetch,
            blob: &blob,
            progress: &progress,
            write,
        };
        let copied = writer.rows(&mut output)?;
        output.flush().map_err(|source| ExportError::Flush {
            table: table(),
            source,
        })?;
        Ok(Copied {
            rows: copied.rows,
            bytes: copied.bytes + header_bytes,
        })
    })
    .await
}

/// A slice may lack a column that the table got later, so only the version can say which ones exist.
fn check_selection(version: &TableVersion, selection: &Selection) -> Result<(), ExportError> {
    let known: HashSet<&String> = version.columns.iter().collect();
    let filtered = selection.filters.iter().map(|filter| &filter.column);
    match selection
        .columns
        .iter()
        .chain(filtered)
        .find(|column| !known.contains(column))
    {
        None => Ok(()),
        Some(column) => Err(ExportError::ColumnUnknown {
            table: version.table.clone(),
            column: column.clone(),
        }),
    }
}
