//! Reads whole records through one buffer, in batches, with the position of every field's end.
//! Memory depends on the longest record alone, never on the file.

use std::io::{self, Read};

use super::batch::{Batch, SLACK, fields, trim_return};
use super::columns::{COLUMNS_MAX, HeaderRecord};
use super::error::Place;
use super::fault::{self, Fault, Rules};
use super::scanner::{BLOCK, Level, Scanner, Wanted};
use super::structure::Structure;
use super::{CsvError, Dialect};

/// Big enough that system calls do not count, small enough for the second-level cache.
const BUFFER_BYTES: usize = 256 * 1024;

/// The longest record; beyond it lies a file with a forgotten quote rather than data.
pub(super) const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How much is believed of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A component wrote it: everything is checked.
    Foreign,
    /// It is a slice, checked when it was made: only its shape is checked, against damage.
    Slice,
}

/// A file as a sequence of batches of records.
#[derive(Debug)]
pub(super) struct Records<'a, R> {
    input: &'a mut R,
    file: &'a str,
    dialect: Dialect,
    trust: Trust,
    scanner: Scanner,
    structure: Structure,
    buffer: Vec<u8>,
    /// Where the first record that was not handed out begins.
    start: usize,
    scanned: usize,
    filled: usize,
    is_at_end: bool,
    /// Offset in the file of the first byte of the buffer.
    offset: u64,
    /// Number of the record at `start`; 0 is the header.
    record: u64,
    columns: Vec<String>,
    taken: Taken,
    has_bom: bool,
    is_cut: bool,
}

/// How much of the structure belongs to what was handed out last, and where the next record begins.
#[derive(Debug, Default)]
struct Taken {
    ends: usize,
    records: usize,
    next: usize,
}

impl<'a, R: Read> Records<'a, R> {
    pub(super) fn new(input: &'a mut R, file: &'a str, dialect: Dialect, trust: Trust) -> Self {
        Self::with_buffer(input, file, dialect, trust, BUFFER_BYTES)
    }

    /// The same with a buffer that begins with `bytes`.
    pub(super) fn with_buffer(
        input: &'a mut R,
        file: &'a str,
        dialect: Dialect,
        trust: Trust,
        bytes: usize,
    ) -> Self {
        Self {
            input,
            file,
            dialect,
            trust,
            scanner: Scanner::new(dialect, Wanted::Fields, Level::detect()),
            structure: Structure::default(),
            buffer: vec![0; bytes.max(BOM.len()) + SLACK],
            start: 0,
            scanned: 0,
            filled: 0,
            is_at_end: false,
            offset: 0,
            record: 0,
            columns: Vec::new(),
            taken: Taken::default(),
            has_bom: false,
            is_cut: false,
        }
    }

    pub(super) fn has_bom(&self) -> bool {
        self.has_bom
    }

    /// Whether the last record lacked its line end. Known at the end.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn has_carriage_return(&self) -> bool {
        self.structure.has_carriage_return()
    }

    /// Looks at the first bytes: skips a byte order mark, refuses UTF-16.
    pub(super) fn open(&mut self) -> Result<(), CsvError> {
        while self.filled < BOM.len() && !self.is_at_end {
            self.read()?;
        }
        let head = self.buffer.get(..self.filled).unwrap_or_default();
        if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
            return Err(CsvError::Utf16 { file: self.file.into() });
        }
        if head.starts_with(BOM) {
            self.has_bom = true;
            self.start = BOM.len();
            self.scanned = BOM.len();
        }
        Ok(())
    }

    /// Reads the header record, or `None` when the file is empty.
    pub(super) fn header(&mut self) -> Result<Option<HeaderRecord>, CsvError> {
        while self.structure.records() == 0 {
            if self.structure.has_fault() {
                return Err(self.fault());
            }
            if self.is_exhausted() {
                return Ok(None);
            }
            self.fill()?;
        }
        let is_newline = |end: &u32| self.buffer.get(*end as usize) == Some(&b'\n');
        let ends = self.structure.ends();
        let count = ends.iter().position(is_newline).map_or(0, |index| index + 1);
        if count > COLUMNS_MAX {
            return Err(CsvError::ColumnsTooMany { place: self.place(self.start), limit: COLUMNS_MAX });
        }
        let ends = ends.get(..count).unwrap_or_default();
        let next = ends.last().map_or(self.start, |end| *end as usize + 1);
        let raw = self.buffer.get(self.start..next).unwrap_or_default();
        let rules = Rules { fields: None, ..self.rules() };
        if let Some(fault) = fault::first(raw, rules, true) {
            return Err(self.explain(fault));
        }
        let place = self.place(self.start);
        let fields = trim_return(fields(&self.buffer, self.start, ends), count).collect();
        let header = HeaderRecord::new(fields, self.dialect, place)?;
        self.taken = Taken { ends: count, records: 1, next };
        self.discard();
        Ok(Some(header))
    }

    /// Says what the columns are, once they are known, and that rows follow.
    pub(super) fn begin_rows(&mut self, columns: &[String], wanted: Wanted) {
        self.columns = columns.to_vec();
        self.record = 1;
        if wanted != self.scanner.wanted() {
            // What was read ahead is looked at again, for what is wanted now.
            let ahead = self.buffer.get(self.start..self.scanned).unwrap_or_default();
            let lines = self.structure.lines() - memchr::memchr_iter(b'\n', ahead).count() as u64;
            self.structure.restart(lines);
            self.scanner = Scanner::new(self.dialect, wanted, Level::detect());
            self.scanned = self.start;
            self.scan();
        }
    }

    /// The next complete records, or `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch<'_>>, CsvError> {
        self.discard();
        let count = loop {
            if self.structure.has_fault() {
                return Err(self.fault());
            }
            if self.structure.records() > 0 {
                break self.complete_ends()?;
            }
            if self.is_exhausted() {
                return Ok(None);
            }
            self.fill()?;
        };
        if self.trust == Trust::Foreign && !self.batch(count).is_sound(self.dialect.enclosure) {
            return Err(self.fault());
        }
        let records = self.structure.records();
        self.record += records as u64;
        self.taken = Taken { ends: count, records, next: self.batch(count).end() };
        Ok(Some(self.batch(count)))
    }

    /// The records of the first `count` ends.
    fn batch(&self, count: usize) -> Batch<'_> {
        Batch {
            bytes: &self.buffer,
            start: self.start,
            ends: self.structure.ends().get(..count).unwrap_or_default(),
            ends_per_record: self.ends_per_record(),
            carriage_return: self.structure.has_carriage_return(),
        }
    }

    /// What was read and not handed out.
    pub(super) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    fn ends_per_record(&self) -> usize {
        match self.scanner.wanted() {
            Wanted::Fields => self.columns.len().max(1),
            Wanted::Records => 1,
        }
    }

    /// How many ends belong to complete records, when all of these have the right number of fields. It is enough that
    /// every n-th end is a line end and that there are no others.
    fn complete_ends(&self) -> Result<usize, CsvError> {
        let per_record = self.ends_per_record();
        let count = self.structure.records() * per_record;
        let is_newline = |end: &u32| self.buffer.get(*end as usize) == Some(&b'\n');
        let Some(ends) = self.structure.ends().get(..count) else {
            return Err(self.fault());
        };
        let rest = self.structure.ends().get(count..).unwrap_or_default();
        let is_even = ends.iter().skip(per_record - 1).step_by(per_record).all(is_newline);
        if is_even && !rest.iter().any(is_newline) { Ok(count) } else { Err(self.fault()) }
    }

    /// Drops the batch that was handed out.
    fn discard(&mut self) {
        let Taken { ends, records, next } = std::mem::take(&mut self.taken);
        if ends > 0 {
            self.start = next;
            self.structure.consume(ends, records);
        }
    }

    /// Reads and scans what the buffer has room for.
    fn fill(&mut self) -> Result<(), CsvError> {
        self.make_room()?;
        self.read()?;
        self.scan();
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), CsvError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            // A buffer is far below 4 GiB: see RECORD_BYTES_MAX.
            self.structure.shift(u32::try_from(self.start).unwrap_or(u32::MAX));
            self.offset += self.start as u64;
            self.scanned -= self.start;
            self.filled -= self.start;
            self.start = 0;
        }
        let room = self.buffer.len() - SLACK;
        if self.filled == room {
            if room >= RECORD_BYTES_MAX {
                return Err(CsvError::RecordTooLong { place: self.place(0), limit: RECORD_BYTES_MAX });
            }
            self.buffer.resize((room * 2).min(RECORD_BYTES_MAX) + SLACK, 0);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), CsvError> {
        let room = self.buffer.len() - SLACK;
        let free = self.buffer.get_mut(self.filled..room).unwrap_or_default();
        let count = loop {
            match self.input.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(CsvError::Read { file: self.file.into(), source });
                }
                Ok(count) => break count,
            }
        };
        self.filled += count;
        self.is_at_end = count == 0;
        Ok(())
    }

    /// Scans all whole blocks, and at the end of the file the rest too.
    fn scan(&mut self) {
        let ahead = self.buffer.get(self.scanned..self.filled).unwrap_or_default();
        let (blocks, tail) = ahead.as_chunks::<BLOCK>();
        let base = u32::try_from(self.scanned).unwrap_or(u32::MAX);
        self.scanner.scan(blocks, base, &mut self.structure);
        self.scanned += blocks.len() * BLOCK;
        if !self.is_at_end {
            return;
        }
        let base = u32::try_from(self.scanned).unwrap_or(u32::MAX);
        self.scanner.scan_tail(tail, base, &mut self.structure);
        self.scanned = self.filled;
        let is_ended = self.filled == self.start || self.buffer.get(self.filled - 1) == Some(&b'\n');
        if self.scanner.is_quoted() {
            self.structure.mark_fault();
        } else if !is_ended {
            self.is_cut = true;
            if self.trust == Trust::Slice {
                self.structure.mark_fault();
            }
            // The slack has room for the line end that the file lacks.
            if let Some(after) = self.buffer.get_mut(self.filled) {
                *after = b'\n';
            }
            self.structure.end_record(u32::try_from(self.filled).unwrap_or(u32::MAX));
            self.filled += 1;
            self.scanned = self.filled;
        }
    }

    fn is_exhausted(&self) -> bool {
        self.is_at_end && self.scanned == self.filled
    }

    fn rules(&self) -> Rules {
        let Dialect { delimiter, enclosure } = self.dialect;
        Rules { delimiter, enclosure, fields: (!self.columns.is_empty()).then_some(self.columns.len()) }
    }

    /// The error for the first fault in what was scanned and not handed out.
    fn fault(&self) -> CsvError {
        let text = self.buffer.get(self.start..self.scanned).unwrap_or_default();
        match (self.trust, fault::first(text, self.rules(), self.is_at_end)) {
            (Trust::Foreign, Some(fault)) => self.explain(fault),
            (Trust::Slice, _) | (_, None) => {
                CsvError::Damaged { place: self.place(self.start), expected: self.columns.len() }
            }
        }
    }

    fn explain(&self, fault: Fault) -> CsvError {
        let mut place = self.place(self.start + fault.position);
        place.record += fault.record;
        fault.explain(place, &self.columns)
    }

    /// The place of a byte of the buffer that was scanned, in the record at `start`.
    pub(super) fn place(&self, position: usize) -> Place {
        let after = self.buffer.get(position..self.scanned).unwrap_or_default();
        let lines_after = memchr::memchr_iter(b'\n', after).count() as u64;
        Place {
            file: self.file.into(),
            record: self.record,
            line: self.structure.lines() - lines_after + 1,
            byte: self.offset + position as u64,
        }
    }
}
