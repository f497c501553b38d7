//! Stages tables: writes each fetch as `in/tables/<destination>` with its manifest, from the versions planned.
//! Memory does not grow with the table. Never looks at the catalog: the fetches are the snapshot.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::data_folder::{DataFolder, FolderError, is_disk_full};
use super::manifest;
use super::plan::Fetch;
use super::progress::{ProgressSink, Watched};
use super::threads::{at_once, blocking};
use crate::blob::{BlobError, BlobStore, Delivery};
use crate::catalog::Slice;
use crate::csv::{Copied, CsvError, Dialect, Selection, WriteDialect, copy_rows, write_header};
use crate::job::{TableId, VersionNumber};

/// Large enough that writing costs no more system calls than reading.
const WRITE_BYTES: usize = 256 * 1024;

/// A table as the component finds it; kept in the job's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedTable {
    pub table: TableId,
    pub version: VersionNumber,
    pub destination: String,
    /// Rows and bytes of the staged file.
    pub rows: u64,
    pub bytes: u64,
}

/// What could not be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("could not {action} {} for table {table}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        table: TableId,
        source: io::Error,
    },
    /// A stored slice cannot be read as what it was when it was stored.
    #[error("could not read a slice of table {table}")]
    Slice { table: TableId, source: CsvError },
    #[error("could not fetch {what} from the blob store")]
    Blob { what: String, source: BlobError },
}

impl StageError {
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Folder(error) => error.is_disk_full(),
            Self::Io { source, .. } => is_disk_full(source),
            Self::Slice { source, .. } => source.io().is_some_and(is_disk_full),
            Self::Blob { source, .. } => source.is_disk_full(),
        }
    }
}

/// Stages all fetches, several at once; the result is in their order.
pub async fn stage_tables(
    fetches: Vec<Fetch>,
    blob: &BlobStore,
    folder: &DataFolder,
    delivery: Delivery,
    progress: &ProgressSink,
) -> Result<Vec<StagedTable>, StageError> {
    let staging = fetches
        .into_iter()
        .map(|fetch| stage_table(fetch, blob, folder, delivery, progress));
    stream::iter(staging).buffered(at_once()).try_collect().await
}

async fn stage_table(
    fetch: Fetch,
    blob: &BlobStore,
    folder: &DataFolder,
    delivery: Delivery,
    progress: &ProgressSink,
) -> Result<StagedTable, StageError> {
    let path = folder.input_table(&fetch.destination);
    let staged = |fetch: &Fetch, copied: Copied| StagedTable {
        table: fetch.version.table.clone(),
        version: fetch.version.version,
        destination: fetch.destination.clone(),
        rows: copied.rows,
        bytes: copied.bytes,
    };
    {
        let (folder, path) = (folder.clone(), path.clone());
        blocking(move || folder.make_parents(&path)).await?;
    }
    let copied = match deliverable(&fetch) {
        Some(slice) => {
            let delivered = blob.deliver(&slice.blob, &path, delivery).await;
            let bytes = delivered.map_err(|source| blob_failed(&fetch.version.table, source))?;
            progress.bytes(bytes);
            progress.rows(slice.rows);
            Copied {
                rows: slice.rows,
                bytes,
            }
        }
        None => {
            let (fetch, blob, path, progress) = (fetch.clone(), blob.clone(), path.clone(), progress.clone());
            blocking(move || write_table(&fetch, &blob, &path, &progress)).await?
        }
    };
    let staged = staged(&fetch, copied);
    let folder = folder.clone();
    let linked = deliverable(&fetch).is_some() && delivery == Delivery::Link;
    blocking(move || {
        // A link is the stored slice itself and stays the store's.
        if !linked {
            folder.give(&path)?;
        }
        let mut manifest_path = path.into_os_string();
        manifest_path.push(manifest::SUFFIX);
        folder.write_file(Path::new(&manifest_path), &manifest::input_table(&fetch))
    })
    .await?;
    Ok(staged)
}

/// The slice that is, byte for byte, what is asked for.
fn deliverable(fetch: &Fetch) -> Option<&Slice> {
    match &fetch.version.slices[..] {
        [slice] if fetch.is_whole() && slice.deleted.is_empty() && slice.columns == fetch.columns => {
            Some(slice)
        }
        _ => None,
    }
}

fn blob_failed(table: &TableId, source: BlobError) -> StageError {
    StageError::Blob {
        what: format!("a slice of table {table}"),
        source,
    }
}

/// Writes header and selected rows of every slice, in order.
fn write_table(
    fetch: &Fetch,
    blob: &BlobStore,
    path: &Path,
    progress: &ProgressSink,
) -> Result<Copied, StageError> {
    let table = &fetch.version.table;
    let failed = |action| {
        move |source| StageError::Io {
            action,
            path: path.to_owned(),
            table: table.clone(),
            source,
        }
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed("make"))?;
    let mut output = BufWriter::with_capacity(WRITE_BYTES, file);
    let written = TableWriter {
        fetch,
        blob,
        progress,
        write: CANONICAL,
    }
    .write(&mut output)?;
    output
        .into_inner()
        .map_err(|error| failed("write")(error.into_error()))
        .map(|_file: File| written)
}

pub(super) const CANONICAL: WriteDialect = WriteDialect {
    dialect: Dialect::CANONICAL,
    crlf: false,
};

/// Writes the rows a fetch asks for into any output.
pub(super) struct TableWriter<'a> {
    pub(super) fetch: &'a Fetch,
    pub(super) blob: &'a BlobStore,
    pub(super) progress: &'a ProgressSink,
    pub(super) write: WriteDialect,
}

impl TableWriter<'_> {
    /// Header, then rows. Counts both bytes, and rows without the header.
    fn write(&self, output: &mut impl Write) -> Result<Copied, StageError> {
        let header = write_header(&self.fetch.columns, self.write, output);
        let header_bytes = header.map_err(|source| StageError::Io {
            action: "write the header of",
            path: PathBuf::from(&self.fetch.destination),
            table: self.fetch.version.table.clone(),
            source,
        })?;
        let copied = self.rows(output)?;
        Ok(Copied {
            rows: copied.rows,
            bytes: copied.bytes + header_bytes,
        })
    }

    pub(super) fn rows(&self, output: &mut impl Write) -> Result<Copied, StageError> {
        let table = &self.fetch.version.table;
        let selection = Selection {
            columns: self.fetch.columns.clone(),
            filters: self.fetch.filters.clone(),
        };
        let mut total = Copied::default();
        for slice in self.wanted_slices() {
            let rows_left = self
                .fetch
                .rows_max
                .map_or(u64::MAX, |rows_max| rows_max - total.rows);
            if rows_left == 0 {
                break;
            }
            let input = self
                .blob
                .open(&slice.blob)
                .map_err(|source| blob_failed(table, source))?;
            let mut input = Watched::new(input, self.progress.clone());
            let deleted = Some(&slice.deleted).filter(|deleted| !deleted.is_empty());
            let shown = format!("a slice of {table}");
            let copied = copy_rows(
                &mut input, &shown, &selection, deleted, rows_left, self.write, output,
            )
            .map_err(|source| StageError::Slice {
                table: table.clone(),
                source,
            })?;
            self.progress.rows(copied.rows);
            total = Copied {
                rows: total.rows + copied.rows,
                bytes: total.bytes + copied.bytes,
            };
        }
        Ok(total)
    }

    /// Slices that are new enough and still have rows.
    fn wanted_slices(&self) -> impl Iterator<Item = &Slice> {
        let since = self.fetch.imported_since;
        let slices = self.fetch.version.slices.iter();
        slices
            .filter(move |slice| since.is_none_or(|since| slice.imported >= since))
            .filter(|slice| slice.deleted.len() < slice.rows)
    }
}
