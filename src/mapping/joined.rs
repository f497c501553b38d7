//! Several slices of one table at once: each is selected into a part of its own, and the parts are joined in order.

use std::fs::File;
use std::io::{self, BufWriter, Seek};
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::data_folder::DataFolder;
use super::plan::Fetch;
use super::progress::ProgressSink;
use super::stage::{StageError, io_failed};
use super::table_writer::{CANONICAL, TableWriter, WRITE_BYTES};
use super::threads::{at_once, blocking};
use crate::blob::BlobStore;
use crate::catalog::Slice;
use crate::csv::Copied;

/// Whether the slices of a fetch are worth the detour over parts: a limit counts rows across slices, and whole slices
/// only need copying.
pub(super) fn is_worth_it(fetch: &Fetch) -> bool {
    let selects = fetch.columns != fetch.version.columns || !fetch.filters.is_empty();
    selects && fetch.rows_max.is_none() && fetch.wanted_slices().count() > 1
}

/// Appends the selected rows of all slices to `output`, in order. The parts lie beside the data folder meanwhile, on
/// the same file system, where joining them is the kernel's work.
pub(super) async fn append_rows(
    fetch: &Arc<Fetch>,
    blob: &BlobStore,
    mut output: File,
    folder: &DataFolder,
    progress: &ProgressSink,
) -> Result<Copied, StageError> {
    let slices: Vec<Slice> = fetch.wanted_slices().cloned().collect();
    let parts = stream::iter(slices.into_iter().enumerate()).map(|(number, slice)| {
        let (fetch, blob, progress) = (Arc::clone(fetch), blob.clone(), progress.clone());
        let path = folder.part(&fetch.destination, number);
        blocking(move || write_part(&fetch, &slice, &blob, &path, &progress))
    });
    // Not more parts than are being worked on ever wait, so scratch stays small.
    let mut parts = std::pin::pin!(parts.buffered(at_once()));
    let mut total = Copied::default();
    while let Some(part) = parts.next().await {
        let (mut part, copied) = part?;
        let joined = blocking(move || io::copy(&mut part, &mut output).map(|_bytes| output)).await;
        let failed = |source| io_failed(fetch, "write", Path::new(&fetch.destination), source);
        output = joined.map_err(failed)?;
        total = Copied { rows: total.rows + copied.rows, bytes: total.bytes + copied.bytes };
    }
    Ok(total)
}

/// One slice's rows, without header, in a file that has no name any more.
fn write_part(
    fetch: &Fetch,
    slice: &Slice,
    blob: &BlobStore,
    path: &Path,
    progress: &ProgressSink,
) -> Result<(File, Copied), StageError> {
    let failed = |action| move |source| io_failed(fetch, action, path, source);
    let file = File::options().read(true).write(true).create_new(true).open(path).map_err(failed("make"))?;
    std::fs::remove_file(path).map_err(failed("unlink"))?;
    let mut output = BufWriter::with_capacity(WRITE_BYTES, file);
    let writer = TableWriter { fetch, blob, progress, write: CANONICAL };
    let copied = writer.slice_rows(slice, u64::MAX, &mut output)?;
    let mut file = output.into_inner().map_err(|error| failed("write")(error.into_error()))?;
    file.rewind().map_err(failed("read"))?;
    Ok((file, copied))
}
