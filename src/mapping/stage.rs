//! Stages tables: writes each fetch as `in/tables/<destination>` with its manifest, from the versions planned.
//! Memory does not grow with the table. Never looks at the catalog: the fetches are the snapshot.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::data_folder::{DataFolder, FolderError};
use super::joined;
use super::manifest;
use super::plan::Fetch;
use super::progress::ProgressSink;
use super::table_writer::{CANONICAL, TableWriter, WRITE_BYTES};
use super::threads::{at_once, blocking};
use crate::blob::{BlobError, BlobStore, Delivery, is_disk_full};
use crate::catalog::Slice;
use crate::csv::{Copied, CsvError, write_header};
use crate::job::{TableId, VersionNumber};

/// A table as the component finds it; kept in the job's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagedTable {
    pub table: TableId,
    pub version: VersionNumber,
    pub destination: String,
    /// Rows and bytes of the staged file.
    pub rows: u64,
    pub bytes: u64,
}

/// What could not be staged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("could not {action} {} for table {table}", path.display())]
    Io { action: &'static str, path: PathBuf, table: TableId, source: io::Error },
    /// A stored slice cannot be read as what it was when it was stored.
    #[error("could not read a slice of table {table}")]
    Slice { table: TableId, source: Box<CsvError> },
    #[error("could not fetch {what} from the blob store")]
    Blob { what: String, source: BlobError },
}

impl StageError {
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Folder(error) => error.is_disk_full(),
            Self::Io { source, .. } => is_disk_full(source),
            Self::Slice { source, .. } => source.io().is_some_and(is_disk_full),
            Self::Blob { source, .. } => source.is_disk_full(),
        }
    }
}

/// Stages all fetches, several at once; the result is in their order.
pub(crate) async fn stage_tables(
    fetches: Vec<Fetch>,
    blob: &BlobStore,
    folder: &DataFolder,
    delivery: Delivery,
    progress: &ProgressSink,
) -> Result<Vec<StagedTable>, StageError> {
    let staging = fetches.into_iter().map(|fetch| stage_table(fetch, blob, folder, delivery, progress));
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
            Copied { rows: slice.rows, bytes }
        }
        None => write_table(&fetch, blob, folder, &path, progress).await?,
    };
    let staged = staged(&fetch, copied);
    let folder = folder.clone();
    let linked = deliverable(&fetch).is_some() && blob.links(delivery);
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

pub(super) fn blob_failed(table: &TableId, source: BlobError) -> StageError {
    StageError::Blob { what: format!("a slice of table {table}"), source }
}

/// Writes header and selected rows of every slice, in order.
async fn write_table(
    fetch: &Fetch,
    blob: &BlobStore,
    folder: &DataFolder,
    path: &Path,
    progress: &ProgressSink,
) -> Result<Copied, StageError> {
    let fetch = Arc::new(fetch.clone());
    let (file, header_bytes) = {
        let (fetch, path) = (Arc::clone(&fetch), path.to_owned());
        blocking(move || start_table(&fetch, &path)).await?
    };
    let copied = if joined::is_worth_it(&fetch) {
        joined::append_rows(&fetch, blob, file, folder, progress).await?
    } else {
        let (blob, path, progress) = (blob.clone(), path.to_owned(), progress.clone());
        blocking(move || {
            let mut output = BufWriter::with_capacity(WRITE_BYTES, file);
            let writer = TableWriter { fetch: &fetch, blob: &blob, progress: &progress, write: CANONICAL };
            let copied = writer.rows(&mut output)?;
            let flushed = output.flush().map(|()| copied);
            flushed.map_err(|source| io_failed(&fetch, "write", &path, source))
        })
        .await?
    };
    Ok(Copied { rows: copied.rows, bytes: copied.bytes + header_bytes })
}

/// Makes the file with its header; returns it with the header's bytes.
fn start_table(fetch: &Fetch, path: &Path) -> Result<(File, u64), StageError> {
    let file = File::create_new(path).map_err(|source| io_failed(fetch, "make", path, source))?;
    let mut output = BufWriter::new(file);
    let written = write_header(&fetch.columns, CANONICAL, &mut output);
    let bytes = written.map_err(|source| io_failed(fetch, "write", path, source))?;
    let file = output.into_inner().map_err(|error| io_failed(fetch, "write", path, error.into_error()))?;
    Ok((file, bytes))
}

pub(super) fn io_failed(fetch: &Fetch, action: &'static str, path: &Path, source: io::Error) -> StageError {
    StageError::Io { action, path: path.to_owned(), table: fetch.version.table.clone(), source }
}
