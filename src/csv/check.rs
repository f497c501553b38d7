//! Reads a file once, writing its rows nowhere: can it become a slice as it stands?

use std::fs::File;
use std::io::Read;

use super::batch::Batch;
use super::columns;
use super::keys::{KeyHasher, KeyWriter};
use super::records::{Records, Trust};
use super::scanner::Wanted;
use super::slice::Digest;
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
    let mut hasher = KeyHasher::new(
        columns::key_fields(&options.key, &columns, file)?,
        options.dialect.enclosure,
    );
    let mut keys = keys.filter(|_| !options.key.is_empty()).map(KeyWriter::new);
    let mut digest = Digest::default();
    digest.update(&header.canonical, 0);
    records.begin_rows(&columns, Wanted::Fields);
    while let Some(batch) = records.next_batch()? {
        if batch.carriage_return || has_bare_empty_row(&batch) {
            return Ok(Checked::Foreign);
        }
        if let Some(keys) = &mut keys {
            let first = first_row(digest.rows, &batch, file)?;
            hasher
                .hash_batch(&batch, first, keys)
                .map_err(|source| CsvError::Write {
                    file: file.clone(),
                    source,
                })?;
        }
        digest.update(batch.text(), batch.rows());
    }
    if records.is_cut() || records.has_carriage_return() {
        return Ok(Checked::Foreign);
    }
    row_number(digest.rows, file)?;
    if let Some(keys) = keys {
        keys.finish().map_err(|source| CsvError::Write {
            file: file.clone(),
            source,
        })?;
    }
    Ok(Checked::Canonical(digest.facts(&columns)))
}

/// The ordinal of a batch's first row after `before` rows, when its last one has an ordinal too.
pub(super) fn first_row(before: u64, batch: &Batch<'_>, file: &str) -> Result<u32, CsvError> {
    row_number(before + batch.rows() as u64, file)?;
    row_number(before, file)
}

/// Ordinals of rows are 32 bits wide in bitmaps and key indexes.
fn row_number(row: u64, file: &str) -> Result<u32, CsvError> {
    // The conversion's own error says nothing more.
    u32::try_from(row).map_err(|_too_large| CsvError::RowsTooMany {
        file: file.into(),
        limit: u32::MAX,
    })
}

/// An empty line in a table of one column is a row with an empty value. Other readers skip it, so a slice writes `""`.
fn has_bare_empty_row(batch: &Batch<'_>) -> bool {
    batch.ends_per_record == 1
        && batch
            .records()
            .any(|(start, ends)| ends.first() == u32::try_from(start).ok().as_ref())
}
