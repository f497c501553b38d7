//! How a CSV file is written, and what its reader is told about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How fields and records are written. Both bytes are ASCII and neither is CR, LF or the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub delimiter: u8,
    pub enclosure: u8,
}

impl Dialect {
    pub(crate) const CANONICAL: Self = Self { delimiter: b',', enclosure: b'"' };

    /// Why no file can be read in this dialect, if so.
    pub(super) fn fault(self) -> Option<&'static str> {
        let Self { delimiter, enclosure } = self;
        if !delimiter.is_ascii() || !enclosure.is_ascii() {
            return Some("delimiter and enclosure must be ASCII characters");
        }
        // NUL pads the last block of the scanner, so it cannot stand for anything.
        if [delimiter, enclosure].iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Some("delimiter and enclosure must not be a line end or NUL");
        }
        (delimiter == enclosure).then_some("delimiter and enclosure must differ")
    }
}

/// How rows are written for somebody who does not read the canonical dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteDialect {
    pub dialect: Dialect,
    /// Whether records end with CR LF instead of LF.
    pub crlf: bool,
}

impl WriteDialect {
    pub(crate) const CANONICAL: Self = Self { dialect: Dialect::CANONICAL, crlf: false };
}

/// Where the column names come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    /// The first record names the columns.
    FirstRecord,
    /// There is no header record; these are the columns.
    Absent { columns: Vec<String> },
    /// There is one, to be skipped whatever it holds; these are the columns.
    Replaced { columns: Vec<String> },
}

/// How to read one CSV file.
#[derive(Debug, Clone)]
pub(crate) struct ReadOptions {
    /// The file's name as people know it (`out/tables/orders.csv`), for errors.
    pub file: String,
    pub dialect: Dialect,
    pub header: Header,
    /// Columns whose unquoted values are hashed into a key index; empty for none.
    pub key: Vec<String>,
    /// Grows by the rows read, for whoever watches.
    pub rows_read: Arc<AtomicU64>,
}

impl ReadOptions {
    pub(super) fn count(&self, rows: usize) {
        self.rows_read.fetch_add(rows as u64, Ordering::Relaxed);
    }
}
