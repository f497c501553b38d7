//! Column names: read from a header record, checked, found again.

use super::error::Place;
use super::field;
use super::{CsvError, Dialect, WriteDialect};

/// More columns than any table has; keeps a hostile header from becoming a million names.
pub(super) const COLUMNS_MAX: usize = 16_384;

/// The first record of a file with a header.
#[derive(Debug)]
pub(super) struct HeaderRecord {
    /// In the canonical dialect, with its line end.
    pub(super) canonical: Vec<u8>,
    pub(super) names: Vec<String>,
    pub(super) place: Place,
}

impl HeaderRecord {
    /// Of raw fields whose quoting is sound and whose text is UTF-8.
    pub(super) fn new(fields: Vec<&[u8]>, dialect: Dialect, place: Place) -> Result<Self, CsvError> {
        // Data may hold a bare carriage return, but in a header it means that the lines end like an old Macintosh's,
        // and that all rows were taken for names.
        if fields.iter().any(|raw| raw.first() != Some(&dialect.enclosure) && raw.contains(&b'\r')) {
            return Err(CsvError::LineEnds { place });
        }
        let mut canonical = Vec::new();
        let mut names = Vec::with_capacity(fields.len());
        for raw in fields {
            if !names.is_empty() {
                canonical.push(Dialect::CANONICAL.delimiter);
            }
            field::transcode(raw, dialect, Dialect::CANONICAL, &mut canonical);
            names.push(String::from_utf8_lossy(&field::value(raw, dialect.enclosure)).into_owned());
        }
        field::end_record(WriteDialect::CANONICAL, &mut canonical);
        Ok(Self { canonical, names, place })
    }
}

/// Refuses columns without a name and names that occur twice.
pub(super) fn checked(columns: &[String], place: &Place) -> Result<(), CsvError> {
    let mut seen = std::collections::HashMap::with_capacity(columns.len());
    for (number, name) in (1..).zip(columns) {
        if name.is_empty() {
            return Err(CsvError::ColumnUnnamed { place: place.clone(), number });
        }
        if let Some(first) = seen.insert(name, number) {
            return Err(CsvError::ColumnTwice {
                place: place.clone(),
                name: name.clone(),
                first,
                second: number,
            });
        }
    }
    Ok(())
}

/// Where the key columns stand among the columns.
pub(super) fn key_fields(key: &[String], columns: &[String], file: &str) -> Result<Vec<usize>, CsvError> {
    key.iter()
        .map(|wanted| {
            columns.iter().position(|name| name == wanted).ok_or_else(|| CsvError::KeyMissing {
                file: file.into(),
                column: wanted.clone(),
                columns: columns.join(", "),
            })
        })
        .collect()
}
