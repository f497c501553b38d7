//! CSV: dialects, scanning, checking, selecting, slicing, key hashing. Bytes in, bytes out; knows no storage.
//!
//! *Canonical* means: UTF-8, `,`, `"` doubled inside quotes, LF, no BOM, one header record, a newline at the end,
//! an empty value of a table with one column written as `""`, a carriage return only inside quotes.
//! Everything streams: memory depends on the longest record, never on the table.

mod batch;
mod check;
mod columns;
mod copy;
mod dialect;
mod error;
mod fault;
mod field;
mod filter;
mod ingest;
mod keys;
mod merge;
mod output;
mod records;
mod scanner;
mod selection;
mod slice;
mod structure;
#[cfg(test)]
mod tests;

pub(crate) use check::check;
pub(crate) use copy::{Copied, copy_all, copy_rows, matching_rows, write_header};
pub(crate) use dialect::{Dialect, Header, ReadOptions, WriteDialect};
pub(crate) use error::CsvError;
pub(crate) use ingest::ingest;
pub(crate) use merge::{duplicates_within, superseded};
pub(crate) use selection::Selection;
pub(crate) use slice::{Checked, SliceFacts, SliceFiles};
