//! Reads a file once, writing its rows nowhere: can it become a slice as it stands?

use std::fs::File;
use std::io::Read;

use super::batch::Batch;
use super::columns;
use super::keys::{KeyHasher, KeyWriter};
use super::records::{Records, Trust};
use super::scanner::Wanted;
use super::slice::{Digest, ROWS_MAX};
use super::{Checked, CsvError, Dialect, Header, ReadOptions};

/// Reads a file once without writing its rows anywhere: checks every record, counts, checksums, hashes keys.
/// `keys` receives the key index when `options.key` is not empty. Stops at the first sign of another dialect.
pub(crate) fn check(
    input: &mut impl Read,
    options: &ReadOptions,
    keys: Option<&mut File>,
) -> Result<Checked, CsvError> {
    if options.dialect != Dialect::CANONICAL || options.header != Header::FirstRecord {
        return Ok(Checked::Foreign);
    }
    let file = &options.file;
    let mut records = Records::new(input, file, options.dialect, Trust::Foreign);
    records.open()?;
    if records.has_bom() {
        return Ok(Checked::Foreign);
    }
    let Some(header) = records.header()? else {
        return Err(CsvError::Empty { file: file.clone() });
    };
    let columns = header.names;
    columns::checked(&columns, &header.place)?;
    let key = columns::key_fields(&options.key, &columns, file)?;
    let mut hasher = KeyHasher::new(key, options.dialect.enclosure);
    let mut keys = keys.filter(|_| !options.key.is_empty()).map(KeyWriter::new);
    let writing = |source| CsvError::Write { file: file.clone(), source };
    let mut digest = Digest::default();
    digest.update(&header.canonical, 0);
    records.begin_rows(&columns, Wanted::Fields);
    while let Some(batch) = records.next_batch()? {
        if batch.carriage_return || has_bare_empty_row(&batch) {
            return Ok(Checked::Foreign);
        }
        if digest.rows + batch.rows() as u64 > ROWS_MAX {
            return Err(CsvError::RowsTooMany { file: file.clone(), limit: ROWS_MAX });
        }
        if let Some(keys) = &mut keys {
            hasher.hash_batch(&batch, keys).map_err(writing)?;
        }
        digest.update(batch.text(), batch.rows());
        options.count(batch.rows());
    }
    if records.is_cut() || records.has_carriage_return() {
        return Ok(Checked::Foreign);
    }
    if let Some(keys) = keys {
        keys.finish().map_err(writing)?;
    }
    Ok(Checked::Canonical(digest.facts(&columns)))
}

/// An empty line in a table of one column is a row with an empty value. Other readers skip it, so a slice writes `""`.
fn has_bare_empty_row(batch: &Batch<'_>) -> bool {
    batch.ends_per_record == 1
        && batch.records().any(|(start, ends)| ends.first() == u32::try_from(start).ok().as_ref())
}
