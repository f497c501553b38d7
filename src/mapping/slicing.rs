//! Makes canonical slices of one CSV file, whatever its dialect: the file itself where it is canonical already, else
//! re-encoded ones in scratch. Blocking; stores nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::progress::{ProgressSink, Watched};
use crate::csv::{Checked, CsvError, Dialect, Header, ReadOptions, SliceFacts, SliceFiles, check, ingest};
use crate::job::TableOptions;

/// Slices that we cut: large enough to be few, small enough for all cores to share a table.
const SLICE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// A header line longer than this is left to the check, which says what is wrong with it.
const HEADER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One slice on disk.
#[derive(Debug)]
pub(super) struct MadeSlice {
    pub(super) facts: SliceFacts,
    /// `None`: the source file itself.
    pub(super) csv: Option<PathBuf>,
    pub(super) keys: Option<PathBuf>,
}

/// Why no slices could be made of a file.
#[derive(Debug)]
pub(super) enum SliceError {
    Csv(CsvError),
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl From<CsvError> for SliceError {
    fn from(error: CsvError) -> Self {
        Self::Csv(error)
    }
}

/// Where slices and key indexes of one part are written, with names that no other part uses.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) folder: PathBuf,
    pub(super) stem: String,
}

impl Scratch {
    fn path(&self, number: usize, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}-{number}.{suffix}", self.stem))
    }
}

/// How a file of these options is read. `columns` are its columns where the header is to be replaced.
pub(super) fn read_options(shown: &str, options: &TableOptions, renamed: Option<Vec<String>>) -> ReadOptions {
    let header = match (renamed, &options.columns) {
        (Some(columns), _) => Header::Replaced { columns },
        (None, None) => Header::FirstRecord,
        (None, Some(columns)) if options.has_header == Some(true) => {
            Header::Replaced { columns: columns.clone() }
        }
        (None, Some(columns)) => Header::Absent { columns: columns.clone() },
    };
    let dialect = Dialect {
        delimiter: options.delimiter.unwrap_or(Dialect::CANONICAL.delimiter),
        enclosure: options.enclosure.unwrap_or(Dialect::CANONICAL.enclosure),
    };
    ReadOptions { file: shown.into(), dialect, header, key: Vec::new(), rows_read: Arc::default() }
}

/// The columns that the first record names; `None` when it is not readable, which the check will explain.
pub(super) fn peek_columns(input: &File, dialect: Dialect) -> Option<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .quote(dialect.enclosure)
        .from_reader(BufReader::new(input.take(HEADER_BYTES_MAX)));
    let columns = reader.headers().ok()?.iter().map(str::to_owned).collect();
    Some(columns)
}

/// Checks a file that is ours to take: it becomes the slice when it is canonical.
pub(super) fn take(
    input: &mut File,
    options: &ReadOptions,
    scratch: &Scratch,
    progress: &ProgressSink,
) -> Result<Vec<MadeSlice>, SliceError> {
    let can_be_canonical = options.dialect == Dialect::CANONICAL && options.header == Header::FirstRecord;
    if can_be_canonical {
        let keys_path = (!options.key.is_empty()).then(|| scratch.path(0, "keys"));
        let mut keys = keys_path.as_deref().map(create).transpose()?;
        let mut watched = Watched::of_rows(&*input, progress.clone(), &options.rows_read);
        if let Checked::Canonical(facts) = check(&mut watched, options, keys.as_mut())? {
            return Ok(vec![MadeSlice { facts, csv: None, keys: keys_path }]);
        }
        if let Some(path) = keys_path {
            std::fs::remove_file(&path).map_err(|source| SliceError::Io {
                action: "remove",
                path,
                source,
            })?;
        }
        input.rewind().map_err(|source| SliceError::Io {
            action: "read from its start",
            path: PathBuf::from(&options.file),
            source,
        })?;
    }
    convert(input, options, scratch, progress)
}

/// Reads a file that is not ours, or not canonical, into slices of our own.
pub(super) fn convert(
    input: &mut impl Read,
    options: &ReadOptions,
    scratch: &Scratch,
    progress: &ProgressSink,
) -> Result<Vec<MadeSlice>, SliceError> {
    let mut number = 0;
    let mut next = || {
        let csv = open_new(&scratch.path(number, "csv"))?;
        let keys = if options.key.is_empty() { None } else { Some(open_new(&scratch.path(number, "keys"))?) };
        number += 1;
        Ok(SliceFiles { csv, keys })
    };
    let mut watched = Watched::of_rows(input, progress.clone(), &options.rows_read);
    let facts = ingest(&mut watched, options, SLICE_BYTES_MAX, &mut next)?;
    let slices = facts.into_iter().enumerate().map(|(number, facts)| MadeSlice {
        facts,
        csv: Some(scratch.path(number, "csv")),
        keys: (!options.key.is_empty()).then(|| scratch.path(number, "keys")),
    });
    Ok(slices.collect())
}

/// Hashes the keys of a stored canonical slice into a new index at `path`.
pub(super) fn index(
    input: &mut impl Read,
    shown: &str,
    key: &[String],
    path: &Path,
) -> Result<SliceFacts, SliceError> {
    let mut options = read_options(shown, &TableOptions::default(), None);
    options.key = key.to_vec();
    let mut keys = create(path)?;
    // Only canonical files are ever stored, so whatever is wrong with one is nobody's CSV.
    let damage: Box<dyn std::error::Error + Send + Sync> = match check(input, &options, Some(&mut keys)) {
        Ok(Checked::Canonical(facts)) => return Ok(facts),
        Ok(Checked::Foreign) => "a stored slice is not canonical any more".into(),
        Err(error) if error.io().is_some() => return Err(error.into()),
        Err(error) => Box::new(error),
    };
    let source = io::Error::new(io::ErrorKind::InvalidData, damage);
    Err(SliceError::Io { action: "index", path: PathBuf::from(shown), source })
}

fn create(path: &Path) -> Result<File, SliceError> {
    open_new(path).map_err(|source| SliceError::Io { action: "make", path: path.to_owned(), source })
}

/// Readable too: a key index is read again by whoever wrote it.
fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}
