//! CSV: dialects, scanning, checking, selecting, slicing, key hashing. Bytes in, bytes out; knows no storage.
//!
//! *Canonical* means: UTF-8, `,`, `"` doubled inside quotes, LF, no BOM, one header record, a newline at the end.

// CONTRACT (skeleton). Signatures may grow, names stay. Owner: the csv room.
#![allow(unused_variables, clippy::all, reason = "skeleton")]

use std::fs::File;
use std::io::{self, Read, Write};

use roaring::RoaringBitmap;

use crate::job::Filter;

/// How fields and records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    pub delimiter: u8,
    pub enclosure: u8,
}

impl Dialect {
    pub const CANONICAL: Self = Self {
        delimiter: b',',
        enclosure: b'"',
    };
}

/// Where the column names come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first record names the columns.
    FirstRecord,
    /// There is no header record; these are the columns.
    Absent { columns: Vec<String> },
    /// There is one, to be skipped; these are the columns.
    Replaced { columns: Vec<String> },
}

/// How to read one CSV file.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The file's name as people know it (`out/tables/orders.csv`), for errors.
    pub file: String,
    pub dialect: Dialect,
    pub header: Header,
    /// Columns whose unquoted values are hashed into a key index; empty for none.
    pub key: Vec<String>,
}

/// What is known of a slice after it was read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceFacts {
    pub columns: Vec<String>,
    pub rows: u64,
    /// Bytes of the canonical file, header included.
    pub bytes: u64,
    /// XXH3-128 of the canonical file.
    pub checksum: u128,
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The file is canonical as it stands and may become a slice without being copied.
    Canonical(SliceFacts),
    /// Well-formed as far as read, but in another dialect: [`ingest`] makes slices of it.
    Foreign,
}

/// Where one new slice goes: its CSV and, when a key is asked for, its key index.
#[derive(Debug)]
pub struct SliceFiles {
    pub csv: File,
    pub keys: Option<File>,
}

/// What is wrong with a CSV file, and where. `Display` is one line: file, record, line, byte, what, remedy.
#[derive(Debug, thiserror::Error)]
#[error("(skeleton)")]
pub struct CsvError {}

impl CsvError {
    /// The IO error behind it, when reading or writing failed rather than the data being wrong.
    pub fn io(&self) -> Option<&io::Error> {
        unimplemented!()
    }
}

/// Reads a file once without writing its rows anywhere: checks every record, counts, checksums, hashes keys.
/// `keys` receives the key index when `options.key` is not empty.
pub fn check(
    input: &mut impl Read,
    options: &ReadOptions,
    keys: Option<&mut File>,
) -> Result<Checked, CsvError> {
    unimplemented!()
}

/// Reads a file of any dialect and writes canonical slices, cut at record borders once a slice has `slice_bytes_max`
/// bytes. `next` opens the files of each slice. An input without rows makes one slice with only a header.
pub fn ingest(
    input: &mut impl Read,
    options: &ReadOptions,
    slice_bytes_max: u64,
    next: &mut dyn FnMut() -> io::Result<SliceFiles>,
) -> Result<Vec<SliceFacts>, CsvError> {
    unimplemented!()
}

/// Which rows and columns of a table are wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Output columns in order. A column that a (older) slice lacks comes out empty.
    pub columns: Vec<String>,
    pub filters: Vec<Filter>,
}

/// How rows are written by [`copy_rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteDialect {
    pub dialect: Dialect,
    pub crlf: bool,
}

/// What [`copy_rows`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub rows: u64,
    pub bytes: u64,
}

/// Copies the selected rows of one canonical slice, without its header, at most `rows_max` of them, skipping the
/// rows (0-based ordinals in the slice) in `deleted`. Field bytes are copied as they stand when the dialect is canonical.
pub fn copy_rows(
    input: &mut impl Read,
    file: &str,
    selection: &Selection,
    deleted: Option<&RoaringBitmap>,
    rows_max: u64,
    write: WriteDialect,
    output: &mut impl Write,
) -> Result<Copied, CsvError> {
    unimplemented!()
}

/// Writes a header record (with BOM if asked) in `write`'s dialect; returns its bytes.
pub fn write_header(columns: &[String], write: WriteDialect, output: &mut impl Write) -> io::Result<u64> {
    unimplemented!()
}

/// The ordinals of the rows of one canonical slice for which all filters hold.
pub fn matching_rows(
    input: &mut impl Read,
    file: &str,
    filters: &[Filter],
) -> Result<RoaringBitmap, CsvError> {
    unimplemented!()
}

/// For the slices of one load, in order: the rows of each that a later row with the same key replaces.
pub fn duplicates_within(indexes: &mut [File]) -> io::Result<Vec<RoaringBitmap>> {
    unimplemented!()
}

/// The rows of `old` whose key occurs in any of `incoming`. Costs the smaller side where it can.
pub fn superseded(old: &mut File, incoming: &mut [File]) -> io::Result<RoaringBitmap> {
    unimplemented!()
}
