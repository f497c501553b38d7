//! What is wrong with a CSV file, and where.

use std::{fmt, io};

/// A place in a file, as far as the reader knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub file: String,
    /// 1 is the first record after the header; 0 is the header.
    pub record: u64,
    /// Physical line, from 1; line ends inside quotes count.
    pub line: u64,
    /// Offset in the file, from 0.
    pub byte: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, record, line, byte } = self;
        match record {
            0 => write!(f, "{file}: header (line {line}, byte {byte})"),
            _ => write!(f, "{file}: record {record} (line {line}, byte {byte})"),
        }
    }
}

/// What is wrong with a CSV file. `Display` is one line: file, record, line, byte, what, remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CsvError {
    #[error(
        "{file}: the file is empty; write a header line, or name the columns where the file is described"
    )]
    Empty { file: String },
    #[error("{place}: column {number} has no name; every column needs one")]
    ColumnUnnamed { place: Place, number: usize },
    #[error("{place}: columns {first} and {second} are both named {name:?}; rename one of them")]
    ColumnTwice { place: Place, name: String, first: usize, second: usize },
    #[error("{place}: more than {limit} columns; is the delimiter right?")]
    ColumnsTooMany { place: Place, limit: usize },
    #[error("{place}: lines end with a carriage return alone; end them with LF or CR LF")]
    LineEnds { place: Place },
    #[error("{file}: the key column {column:?} is not among the columns ({columns})")]
    KeyMissing { file: String, column: String, columns: String },
    #[error(
        "{place}: expected {expected} fields, found {found}; \
         fields that hold the delimiter or a line end must be quoted"
    )]
    Ragged { place: Place, expected: usize, found: usize },
    #[error("{place}: expected {expected} fields, found an empty line; remove it")]
    EmptyLine { place: Place, expected: usize },
    #[error(
        "{place}: a quote inside the unquoted field {column}; quote the field and double the quotes in it"
    )]
    QuoteInField { place: Place, column: String },
    #[error(
        "{place}: text after the closing quote of the field {column}; double the quotes inside a quoted field"
    )]
    TextAfterQuote { place: Place, column: String },
    #[error("{place}: the quote opened here, in the field {column}, is never closed")]
    QuoteOpen { place: Place, column: String },
    #[error(
        "{place}: the record is longer than {limit} bytes; \
         is a quote left open, or does the file not end its lines with LF?"
    )]
    RecordTooLong { place: Place, limit: usize },
    #[error(
        "{place}: expected UTF-8, found the byte 0x{found:02X} in the field {column}; convert the file to UTF-8"
    )]
    NotUtf8 { place: Place, found: u8, column: String },
    #[error("{file}: expected UTF-8, found UTF-16; convert the file to UTF-8")]
    Utf16 { file: String },
    #[error("{file}: {fault}")]
    Dialect { file: String, fault: &'static str },
    #[error("{file}: more than {limit} rows in one slice; make smaller files")]
    RowsTooMany { file: String, limit: u64 },
    #[error("{place}: the slice is damaged: expected {expected} fields in every record")]
    Damaged { place: Place, expected: usize },
    #[error("{file}: reading failed")]
    Read { file: String, source: io::Error },
    #[error("{file}: writing what was read of it failed")]
    Write { file: String, source: io::Error },
}

impl CsvError {
    /// Whether a stored slice is not what it was when it was stored.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// The IO error behind it, when reading or writing failed rather than the data being wrong.
    pub(crate) fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::Empty { .. }
            | Self::ColumnUnnamed { .. }
            | Self::ColumnTwice { .. }
            | Self::ColumnsTooMany { .. }
            | Self::LineEnds { .. }
            | Self::KeyMissing { .. }
            | Self::Ragged { .. }
            | Self::EmptyLine { .. }
            | Self::QuoteInField { .. }
            | Self::TextAfterQuote { .. }
            | Self::QuoteOpen { .. }
            | Self::RecordTooLong { .. }
            | Self::NotUtf8 { .. }
            | Self::Utf16 { .. }
            | Self::Dialect { .. }
            | Self::RowsTooMany { .. }
            | Self::Damaged { .. } => None,
        }
    }
}
