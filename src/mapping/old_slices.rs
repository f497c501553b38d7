//! What a load means for slices that are there already. Blocking; reads, stores nothing.

use std::fs::File;
use std::io::{self, BufWriter, Seek};

use roaring::RoaringBitmap;

use super::rules::UploadError;
use super::slicing;
use super::table_writer::CANONICAL;
use crate::blob::{BlobError, BlobKey, BlobStore};
use crate::catalog::Slice;
use crate::csv::{Selection, copy_rows, duplicates_within, matching_rows, superseded, write_header};
use crate::job::{DeleteWhere, TableId};

/// One load as the old slices of its table see it.
#[derive(Debug)]
pub(super) struct OldSlices {
    pub(super) blob: BlobStore,
    pub(super) table: TableId,
    pub(super) deletions: Vec<DeleteWhere>,
    /// Key indexes of the incoming rows, opened once for all slices; empty unless this is an upsert.
    pub(super) incoming: Vec<File>,
}

impl OldSlices {
    /// The rows that the load takes out of one slice.
    pub(super) fn doomed(
        &self,
        slice: &Slice,
        index: Option<&BlobKey>,
    ) -> Result<RoaringBitmap, UploadError> {
        let mut doomed = RoaringBitmap::new();
        if slice.deleted.len() >= slice.rows {
            return Ok(doomed);
        }
        for deletion in self.deletions.iter().filter(|deletion| concerns(deletion, slice)) {
            doomed |= self.matching(deletion, slice)?;
        }
        if let Some(index) = index.filter(|_index| !self.incoming.is_empty()) {
            doomed |= self.superseded(index)?;
        }
        Ok(doomed)
    }

    fn matching(&self, deletion: &DeleteWhere, slice: &Slice) -> Result<RoaringBitmap, UploadError> {
        if deletion.filters.is_empty() {
            // A slice's rows are numbered with 32 bits; the CSV room refuses longer ones.
            let end = u32::try_from(slice.rows).unwrap_or(u32::MAX);
            return Ok((0..end).collect());
        }
        let mut input = self.blob.open(&slice.blob).map_err(|source| self.blob_failed(source))?;
        matching_rows(&mut input, &format!("a slice of {}", self.table), &deletion.filters)
            .map_err(|source| UploadError::Csv { table: self.table.clone(), source: Box::new(source) })
    }

    fn superseded(&self, index: &BlobKey) -> Result<RoaringBitmap, UploadError> {
        let mut old = self.blob.open_file(index).map_err(|source| self.blob_failed(source))?;
        // They are read at places, so that handles on one file do not disturb each other.
        let incoming: io::Result<Vec<File>> = self.incoming.iter().map(File::try_clone).collect();
        let rows = incoming.and_then(|mut incoming| superseded(&mut old, &mut incoming));
        rows.map_err(|source| UploadError::Io {
            action: "compare incoming keys with",
            path: index.as_str().into(),
            source,
        })
    }

    fn blob_failed(&self, source: BlobError) -> UploadError {
        UploadError::Blob { what: format!("a slice of table {}", self.table), source }
    }
}

/// A deletion's times speak of when rows were imported, which is when their slice was.
fn concerns(deletion: &DeleteWhere, slice: &Slice) -> bool {
    deletion.changed_since.is_none_or(|since| slice.imported >= since)
        && deletion.changed_until.is_none_or(|until| slice.imported < until)
}

/// How many rows of a table would be replaced by later ones if it had this key. Only rows that are still there count,
/// so a slice with deleted rows is indexed without them.
pub(super) fn count_duplicates(
    blob: &BlobStore,
    table: &TableId,
    slices: &[(Slice, Option<BlobKey>)],
    key: &[String],
) -> Result<u64, UploadError> {
    let blob_failed = |source| UploadError::Blob { what: format!("a slice of table {table}"), source };
    let mut indexes = Vec::new();
    for (slice, index) in slices.iter().filter(|(slice, _)| slice.deleted.len() < slice.rows) {
        match index {
            Some(index) if slice.deleted.is_empty() => {
                indexes.push(blob.open_file(index).map_err(blob_failed)?);
            }
            Some(_) | None => indexes.push(index_of_live_rows(blob, table, slice, key)?),
        }
    }
    let duplicates = duplicates_within(&mut indexes).map_err(|source| UploadError::Io {
        action: "compare the keys of",
        path: table.as_str().into(),
        source,
    })?;
    Ok(duplicates.iter().map(RoaringBitmap::len).sum())
}

fn index_of_live_rows(
    blob: &BlobStore,
    table: &TableId,
    slice: &Slice,
    key: &[String],
) -> Result<File, UploadError> {
    let blob_failed = |source| UploadError::Blob { what: format!("a slice of table {table}"), source };
    let scratch = blob.scratch().map_err(blob_failed)?;
    let (live, keys) = (scratch.path().join("live.csv"), scratch.path().join("live.keys"));
    let failed = |action, path: &std::path::Path| {
        let path = path.to_owned();
        move |source| UploadError::Io { action, path, source }
    };
    let file = File::create_new(&live).map_err(failed("make", &live))?;
    let mut output = BufWriter::new(file);
    write_header(key, CANONICAL, &mut output).map_err(failed("write", &live))?;
    let selection = Selection { columns: key.to_vec(), filters: Vec::new() };
    let mut input = blob.open(&slice.blob).map_err(blob_failed)?;
    let shown = format!("a slice of {table}");
    copy_rows(&mut input, &shown, &selection, Some(&slice.deleted), u64::MAX, CANONICAL, &mut output)
        .map_err(|source| UploadError::Csv { table: table.clone(), source: Box::new(source) })?;
    drop(output.into_inner().map_err(|error| failed("write", &live)(error.into_error()))?);
    let mut copied = File::open(&live).map_err(failed("open", &live))?;
    slicing::index(&mut copied, &shown, key, &keys).map_err(|error| UploadError::of_table(error, table))?;
    // The open file outlives its folder.
    let mut index = File::open(&keys).map_err(failed("open", &keys))?;
    index.rewind().map_err(failed("read", &keys))?;
    Ok(index)
}
