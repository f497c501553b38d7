//! Copies selected rows of one slice. Looks at structure first, at text only where it decides.

use std::io::{self, BufReader, Read, Write};

use roaring::RoaringBitmap;

use super::batch::Batch;
use super::filter::Filters;
use super::output::Output;
use super::records::{Records, Trust};
use super::scanner::Wanted;
use super::selection::{Plan, Shape, Span, encode_row};
use super::{CsvError, Dialect, Selection, WriteDialect, field};
use crate::job::Filter;

/// Most headers fit, and little of the rows that the kernel copies is read for it.
const HEADER_BYTES: usize = 4096;

const BUFFER_BYTES: usize = 256 * 1024;

/// What [`copy_rows`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    pub rows: u64,
    pub bytes: u64,
}

/// Copies the selected rows of one canonical slice, without its header, at most `rows_max` of them, skipping the
/// rows (0-based ordinals in the slice) in `deleted`. Field bytes are copied as they stand when the dialect is canonical.
pub(crate) fn copy_rows(
    input: &mut impl Read,
    file: &str,
    selection: &Selection,
    deleted: Option<&RoaringBitmap>,
    rows_max: u64,
    write: WriteDialect,
    output: &mut impl Write,
) -> Result<Copied, CsvError> {
    if let Some(fault) = write.dialect.fault() {
        return Err(CsvError::Dialect { file: file.into(), fault });
    }
    let mut records = Records::new(input, file, Dialect::CANONICAL, Trust::Slice);
    let columns = open_slice(&mut records)?;
    let plan = Plan::new(selection, &columns, write);
    if plan.filters.none_passes() || rows_max == 0 {
        return Ok(Copied::default());
    }
    records.begin_rows(&columns, plan.wanted());
    let mut kept = Kept::new(&plan.filters, deleted, rows_max);
    let mut output = Output::new(output);
    let writing = |source| CsvError::Write { file: file.into(), source };
    while kept.rows < rows_max
        && let Some(batch) = records.next_batch()?
    {
        match &plan.shape {
            Shape::Whole => copy_whole_rows(&batch, &mut kept, &mut output),
            Shape::Spans(spans) => copy_spans(&batch, &mut kept, spans, &mut output),
            Shape::Encoded { fields, write } => {
                copy_encoded(&batch, &mut kept, (fields, *write), &mut output)
            }
        }
        .map_err(writing)?;
    }
    output.finish().map(|bytes| Copied { rows: kept.rows, bytes }).map_err(writing)
}

/// Copies all rows of one canonical slice, without its header, as fast as the system can: uncounted and unchecked.
/// Between two files the kernel copies. Returns the bytes.
pub(crate) fn copy_all<R: Read, W: Write>(
    input: &mut R,
    file: &str,
    output: &mut W,
) -> Result<u64, CsvError> {
    let mut records = Records::with_buffer(input, file, Dialect::CANONICAL, Trust::Slice, HEADER_BYTES);
    open_slice(&mut records)?;
    let ahead = records.ahead();
    let writing = |source| CsvError::Write { file: file.into(), source };
    output.write_all(ahead).map_err(writing)?;
    let read = ahead.len() as u64;
    // The buffer is for outputs that the kernel cannot copy to.
    let mut rest = BufReader::with_capacity(BUFFER_BYTES, input);
    Ok(read + io::copy(&mut rest, output).map_err(writing)?)
}

/// Writes a header record in `write`'s dialect; returns its bytes.
pub(crate) fn write_header(
    columns: &[String],
    write: WriteDialect,
    output: &mut impl Write,
) -> io::Result<u64> {
    let mut record = Vec::new();
    field::encode_header(columns, write, &mut record);
    output.write_all(&record)?;
    Ok(record.len() as u64)
}

/// The ordinals of the rows of one canonical slice for which all filters hold.
pub(crate) fn matching_rows(
    input: &mut impl Read,
    file: &str,
    filters: &[Filter],
) -> Result<RoaringBitmap, CsvError> {
    let mut records = Records::new(input, file, Dialect::CANONICAL, Trust::Slice);
    let columns = open_slice(&mut records)?;
    let filters = Filters::new(filters, &columns);
    let mut found = RoaringBitmap::new();
    if filters.none_passes() {
        return Ok(found);
    }
    records.begin_rows(&columns, Wanted::Fields);
    let mut row = 0_u32;
    while let Some(batch) = records.next_batch()? {
        for (start, ends) in batch.records() {
            if filters.pass(batch.bytes, start, ends) {
                found.insert(row);
            }
            row = row.saturating_add(1);
        }
    }
    Ok(found)
}

/// Reads the header of a slice, which every slice has.
fn open_slice<R: Read>(records: &mut Records<'_, R>) -> Result<Vec<String>, CsvError> {
    match records.header()? {
        Some(header) => Ok(header.names),
        None => Err(CsvError::Damaged { place: records.place(0), expected: 1 }),
    }
}

/// Decides row by row what is kept.
struct Kept<'a> {
    filters: &'a Filters,
    deleted: Option<roaring::bitmap::Iter<'a>>,
    /// The next deleted row at or after `row`.
    next_deleted: Option<u32>,
    /// The ordinal of the row that is asked for next.
    row: u64,
    rows_max: u64,
    /// Rows kept so far.
    rows: u64,
}

impl<'a> Kept<'a> {
    fn new(filters: &'a Filters, deleted: Option<&'a RoaringBitmap>, rows_max: u64) -> Self {
        let mut deleted = deleted.map(RoaringBitmap::iter);
        let next_deleted = deleted.as_mut().and_then(Iterator::next);
        Self { filters, deleted, next_deleted, row: 0, rows_max, rows: 0 }
    }

    /// Whether every row that follows is kept.
    fn is_all(&self) -> bool {
        self.filters.is_empty() && self.next_deleted.is_none() && self.rows_max == u64::MAX
    }

    #[inline]
    fn keeps(&mut self, bytes: &[u8], start: usize, ends: &[u32]) -> bool {
        let row = self.row;
        self.row += 1;
        if self.next_deleted.is_some_and(|deleted| u64::from(deleted) == row) {
            self.next_deleted = self.deleted.as_mut().and_then(Iterator::next);
            return false;
        }
        let keeps = self.rows < self.rows_max && self.filters.pass(bytes, start, ends);
        self.rows += u64::from(keeps);
        keeps
    }
}

fn copy_whole_rows<W: Write>(
    batch: &Batch<'_>,
    kept: &mut Kept<'_>,
    output: &mut Output<'_, W>,
) -> io::Result<()> {
    if kept.is_all() {
        let rows = batch.rows() as u64;
        kept.row += rows;
        kept.rows += rows;
        return output.push_slice(batch.text());
    }
    let mut run = batch.start..batch.start;
    for (start, ends) in batch.records() {
        if kept.keeps(batch.bytes, start, ends) {
            if run.end != start {
                output.push_slice(batch.bytes.get(run.clone()).unwrap_or_default())?;
                run.start = start;
            }
            run.end = ends.last().map_or(start, |end| *end as usize + 1);
        }
    }
    output.push_slice(batch.bytes.get(run.clone()).unwrap_or_default())
}

fn copy_spans<W: Write>(
    batch: &Batch<'_>,
    kept: &mut Kept<'_>,
    spans: &[Span],
    output: &mut Output<'_, W>,
) -> io::Result<()> {
    for (start, ends) in batch.records() {
        if !kept.keeps(batch.bytes, start, ends) {
            continue;
        }
        for (index, span) in spans.iter().enumerate() {
            let (from, to) = match *span {
                Span::Fields { first, last } => {
                    let before = first.checked_sub(1).and_then(|before| ends.get(before));
                    let from = before.map_or(start, |end| *end as usize + 1);
                    (from, ends.get(last).map_or(from, |end| *end as usize))
                }
                Span::Empty => (start, start),
            };
            // A row of one empty value would be an empty line, which most readers skip.
            if spans.len() == 1 && from == to {
                output.push_slice(b"\"\"")?;
            }
            let last = if index + 1 == spans.len() { b'\n' } else { b',' };
            output.push_ended(batch.bytes, from, to, last)?;
        }
    }
    Ok(())
}

fn copy_encoded<W: Write>(
    batch: &Batch<'_>,
    kept: &mut Kept<'_>,
    wanted: (&[Option<usize>], WriteDialect),
    output: &mut Output<'_, W>,
) -> io::Result<()> {
    let mut row = Vec::new();
    for (start, ends) in batch.records() {
        if kept.keeps(batch.bytes, start, ends) {
            row.clear();
            encode_row(batch.bytes, start, ends, wanted, &mut row);
            output.push_slice(&row)?;
        }
    }
    Ok(())
}
