//! Tables taken out by hand.

use std::collections::HashSet;
use std::io::{self, Write};

use super::plan::Fetch;
use super::progress::ProgressSink;
use super::stage::StageError;
use super::table_writer::TableWriter;
use super::threads::blocking;
use crate::blob::BlobStore;
use crate::catalog::TableVersion;
use crate::csv::{Copied, Selection, WriteDialect, write_header};
use crate::job::TableId;

/// How a table is taken out.
#[derive(Debug, Clone)]
pub(crate) struct ExportOptions {
    /// Columns in order, empty for all; filters.
    pub selection: Selection,
    pub write: WriteDialect,
    pub header: bool,
    pub rows_max: Option<u64>,
}

/// Why a table could not be taken out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
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
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Header { source, .. }
            | Self::Flush { source, .. }
            | Self::Rows(StageError::Io { source, .. }) => Some(source),
            Self::Rows(StageError::Slice { source, .. }) => source.io(),
            Self::Rows(StageError::Folder(_) | StageError::Blob { .. }) | Self::ColumnUnknown { .. } => None,
        };
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writes the rows of one version to `output`; counts rows without, bytes with the header.
pub(crate) async fn export_table<W: Write + Send + 'static>(
    version: TableVersion,
    options: ExportOptions,
    blob: &BlobStore,
    mut output: W,
    progress: &ProgressSink,
) -> Result<Copied, ExportError> {
    let ExportOptions { selection, write, header, rows_max } = options;
    check_selection(&version, &selection)?;
    let columns = if selection.columns.is_empty() { version.columns.clone() } else { selection.columns };
    let filters = selection.filters;
    let fetch =
        Fetch { destination: String::new(), version, columns, filters, imported_since: None, rows_max };
    let (blob, progress) = (blob.clone(), progress.clone());
    blocking(move || {
        let table = || fetch.version.table.clone();
        let mut header_bytes = 0;
        if header {
            let written = write_header(&fetch.columns, write, &mut output);
            header_bytes = written.map_err(|source| ExportError::Header { table: table(), source })?;
        }
        let writer = TableWriter { fetch: &fetch, blob: &blob, progress: &progress, write };
        let copied = writer.rows(&mut output)?;
        output.flush().map_err(|source| ExportError::Flush { table: table(), source })?;
        Ok(Copied { rows: copied.rows, bytes: copied.bytes + header_bytes })
    })
    .await
}

/// A slice may lack a column that the table got later, so only the version can say which ones exist.
fn check_selection(version: &TableVersion, selection: &Selection) -> Result<(), ExportError> {
    let known: HashSet<&String> = version.columns.iter().collect();
    let filtered = selection.filters.iter().map(|filter| &filter.column);
    match selection.columns.iter().chain(filtered).find(|column| !known.contains(column)) {
        None => Ok(()),
        Some(column) => {
            Err(ExportError::ColumnUnknown { table: version.table.clone(), column: column.clone() })
        }
    }
}
