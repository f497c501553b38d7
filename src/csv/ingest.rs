//! Makes canonical slices of a file of any dialect. Keeps the bytes of every field that mean the same as they stand.

use std::io::{self, Read};

use super::batch::{Batch, fields};
use super::columns;
use super::error::Place;
use super::field;
use super::keys::KeyHasher;
use super::records::{Records, Trust};
use super::scanner::Wanted;
use super::slice::{ROWS_MAX, SliceWriter};
use super::{CsvError, Dialect, Header, ReadOptions, SliceFacts, SliceFiles, WriteDialect};

/// Encoded rows are written out in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// Reads a file of any dialect and writes canonical slices, cut at record borders once a slice has `slice_bytes_max`
/// bytes. `next` opens the files of each slice. An input without rows makes one slice with only a header.
pub(crate) fn ingest(
    input: &mut impl Read,
    options: &ReadOptions,
    slice_bytes_max: u64,
    next: &mut dyn FnMut() -> io::Result<SliceFiles>,
) -> Result<Vec<SliceFacts>, CsvError> {
    let file = &options.file;
    if let Some(fault) = options.dialect.fault() {
        return Err(CsvError::Dialect { file: file.clone(), fault });
    }
    let mut records = Records::new(input, file, options.dialect, Trust::Foreign);
    records.open()?;
    let (columns, raw) = read_header(&mut records, options)?;
    let key = columns::key_fields(&options.key, &columns, file)?;
    let mut intake = Intake {
        dialect: options.dialect,
        hasher: (!options.key.is_empty()).then(|| KeyHasher::new(key, options.dialect.enclosure)),
        header: raw,
        columns,
        slice_bytes_max,
        next,
        current: None,
        done: Vec::new(),
        piece: Vec::new(),
        piece_rows: 0,
    };
    records.begin_rows(&intake.columns, Wanted::Fields);
    let writing = |source| CsvError::Write { file: file.clone(), source };
    while let Some(batch) = records.next_batch()? {
        intake.take(&batch).map_err(writing)?;
        options.count(batch.rows());
    }
    intake.finish().map_err(writing)
}

/// The columns and the canonical header record.
fn read_header<R: Read>(
    records: &mut Records<'_, R>,
    options: &ReadOptions,
) -> Result<(Vec<String>, Vec<u8>), CsvError> {
    let place = Place { file: options.file.clone(), record: 0, line: 1, byte: 0 };
    let columns = match &options.header {
        Header::FirstRecord => {
            let Some(header) = records.header()? else {
                return Err(CsvError::Empty { file: options.file.clone() });
            };
            columns::checked(&header.names, &header.place)?;
            return Ok((header.names, header.canonical));
        }
        Header::Absent { columns } => columns,
        Header::Replaced { columns } => {
            records.header()?;
            columns
        }
    };
    columns::checked(columns, &place)?;
    let mut canonical = Vec::new();
    field::encode_header(columns, WriteDialect::CANONICAL, &mut canonical);
    Ok((columns.clone(), canonical))
}

/// The slices in the making.
struct Intake<'a> {
    dialect: Dialect,
    columns: Vec<String>,
    header: Vec<u8>,
    hasher: Option<KeyHasher>,
    slice_bytes_max: u64,
    next: &'a mut dyn FnMut() -> io::Result<SliceFiles>,
    /// Opened by the first row, so that no slice without rows follows the last one.
    current: Option<SliceWriter>,
    done: Vec<SliceFacts>,
    /// Encoded rows that were not written yet.
    piece: Vec<u8>,
    piece_rows: usize,
}

impl Intake<'_> {
    fn take(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        // An empty line in a table of one column is a row with an empty value, which a slice writes as `""`.
        let is_canonical =
            self.dialect == Dialect::CANONICAL && !batch.carriage_return && batch.ends_per_record > 1;
        if is_canonical { self.copy(batch) } else { self.encode(batch) }
    }

    fn writer(&mut self) -> io::Result<&mut SliceWriter> {
        let writer = if let Some(writer) = self.current.take() {
            writer
        } else {
            let mut writer = SliceWriter::new((self.next)()?, self.hasher.clone());
            writer.write(&self.header, 0)?;
            writer
        };
        Ok(self.current.insert(writer))
    }

    /// Copies rows as they stand.
    fn copy(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let slice_bytes_max = self.slice_bytes_max;
        let mut rest = *batch;
        while rest.rows() > 0 {
            let writer = self.writer()?;
            let rows_left = usize::try_from(ROWS_MAX - writer.digest.rows).unwrap_or(usize::MAX);
            let rows = rest.rows_for(slice_bytes_max.saturating_sub(writer.digest.bytes)).min(rows_left);
            let (part, after) = rest.split_at(rows);
            writer.copy(&part)?;
            if writer.digest.bytes >= slice_bytes_max || writer.digest.rows >= ROWS_MAX {
                self.end_slice()?;
            }
            rest = after;
        }
        Ok(())
    }

    /// Writes rows again, field by field where they must change.
    fn encode(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let slice_bytes_max = self.slice_bytes_max;
        let mut trimmed = Vec::with_capacity(batch.ends_per_record);
        for (start, ends) in batch.records() {
            trimmed.clear();
            trimmed.extend_from_slice(ends);
            if let Some(end) = trimmed.last_mut()
                && *end as usize > start
                && batch.bytes.get(*end as usize - 1) == Some(&b'\r')
            {
                *end -= 1;
            }
            self.encode_row(batch.bytes, start, &trimmed);
            let (piece_bytes, piece_rows) = (self.piece.len(), self.piece_rows as u64);
            let writer = self.writer()?;
            let rows = writer.digest.rows + piece_rows;
            writer.index(batch.bytes, start, &trimmed)?;
            if writer.digest.bytes + piece_bytes as u64 >= slice_bytes_max || rows >= ROWS_MAX {
                self.end_slice()?;
            } else if piece_bytes >= PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn encode_row(&mut self, bytes: &[u8], start: usize, ends: &[u32]) {
        let record_start = self.piece.len();
        let record = ends.last().and_then(|end| bytes.get(start..*end as usize)).unwrap_or_default();
        if self.dialect == Dialect::CANONICAL && memchr::memchr(b'\r', record).is_none() {
            self.piece.extend_from_slice(record);
        } else {
            for (index, raw) in fields(bytes, start, ends).enumerate() {
                if index > 0 {
                    self.piece.push(b',');
                }
                field::transcode(raw, self.dialect, Dialect::CANONICAL, &mut self.piece);
            }
        }
        if self.piece.len() == record_start {
            self.piece.extend_from_slice(b"\"\"");
        }
        self.piece.push(b'\n');
        self.piece_rows += 1;
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(writer) = &mut self.current {
            writer.write(&self.piece, self.piece_rows)?;
        }
        self.piece.clear();
        self.piece_rows = 0;
        Ok(())
    }

    fn end_slice(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Some(writer) = self.current.take() {
            self.done.push(writer.finish(&self.columns)?);
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Vec<SliceFacts>> {
        if self.done.is_empty() {
            self.writer()?;
        }
        self.end_slice()?;
        Ok(self.done)
    }
}
