//! Writes the rows that a fetch asks for, slice by slice, into any output. Blocking.

use std::io::Write;

use super::plan::Fetch;
use super::progress::{ProgressSink, Watched};
use super::stage::{StageError, blob_failed};
use crate::blob::{BlobReader, BlobStore};
use crate::catalog::Slice;
use crate::csv::{Copied, Dialect, Selection, WriteDialect, copy_all, copy_rows};

/// Large enough that writing costs no more system calls than reading.
pub(super) const WRITE_BYTES: usize = 256 * 1024;

pub(super) const CANONICAL: WriteDialect = WriteDialect { dialect: Dialect::CANONICAL, crlf: false };

pub(super) struct TableWriter<'a> {
    pub(super) fetch: &'a Fetch,
    pub(super) blob: &'a BlobStore,
    pub(super) progress: &'a ProgressSink,
    pub(super) write: WriteDialect,
}

impl TableWriter<'_> {
    /// The rows of all wanted slices in order, without a header.
    pub(super) fn rows(&self, output: &mut impl Write) -> Result<Copied, StageError> {
        let mut total = Copied::default();
        for slice in self.fetch.wanted_slices() {
            let rows_left = self.fetch.rows_max.map_or(u64::MAX, |rows_max| rows_max - total.rows);
            if rows_left == 0 {
                break;
            }
            let copied = self.slice_rows(slice, rows_left, output)?;
            total = Copied { rows: total.rows + copied.rows, bytes: total.bytes + copied.bytes };
        }
        Ok(total)
    }

    /// At most `rows_max` rows of one slice.
    pub(super) fn slice_rows(
        &self,
        slice: &Slice,
        rows_max: u64,
        output: &mut impl Write,
    ) -> Result<Copied, StageError> {
        if self.is_copied_whole(slice, rows_max) {
            return self.whole_slice(slice, output);
        }
        let table = &self.fetch.version.table;
        let columns = self.fetch.columns.clone();
        let selection = Selection { columns, filters: self.fetch.filters.clone() };
        let input = self.blob.open(&slice.blob).map_err(|source| blob_failed(table, source))?;
        let mut input = Watched::new(input, self.progress.clone());
        let deleted = Some(&slice.deleted).filter(|deleted| !deleted.is_empty());
        let shown = format!("a slice of {table}");
        let copied = copy_rows(&mut input, &shown, &selection, deleted, rows_max, self.write, output);
        let copied =
            copied.map_err(|source| StageError::Slice { table: table.clone(), source: Box::new(source) })?;
        self.progress.rows(copied.rows);
        Ok(copied)
    }

    /// Whether the rows of a slice are asked for exactly as they are stored, so that nothing need be parsed.
    fn is_copied_whole(&self, slice: &Slice, rows_max: u64) -> bool {
        self.write == CANONICAL
            && self.fetch.filters.is_empty()
            && self.fetch.columns == slice.columns
            && slice.deleted.is_empty()
            && slice.rows <= rows_max
    }

    fn whole_slice(&self, slice: &Slice, output: &mut impl Write) -> Result<Copied, StageError> {
        let table = &self.fetch.version.table;
        let input = self.blob.open(&slice.blob).map_err(|source| blob_failed(table, source))?;
        let shown = format!("a slice of {table}");
        let copied = match input {
            // The kernel copies from a file by itself.
            BlobReader::File(mut file) => copy_all(&mut file, &shown, output),
            BlobReader::Remote(mut remote) => copy_all(&mut remote, &shown, output),
        };
        let bytes =
            copied.map_err(|source| StageError::Slice { table: table.clone(), source: Box::new(source) })?;
        self.progress.bytes(bytes);
        self.progress.rows(slice.rows);
        Ok(Copied { rows: slice.rows, bytes })
    }
}
