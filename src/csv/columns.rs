//! Column names: read from a header record, checked, found again.

use super::field;
use super::{CsvError, Dialect};
use crate::csv::error::Place;

/// More columns than any table has; keeps a hostile header from becoming a million names.
pub(super) const COLUMNS_MAX: usize = 16_384;

/// The names in a header record, whose fields are known to be UTF-8.
pub(super) fn names<'a>(fields: impl Iterator<Item = &'a [u8]>, dialect: Dialect) -> Vec<String> {
    fields
        .map(|raw| String::from_utf8_lossy(&field::value(raw, dialect.enclosure)).into_owned())
        .collect()
}

/// Refuses columns without a name and names that occur twice.
pub(super) fn checked(columns: &[String], place: &Place) -> Result<(), CsvError> {
    let mut seen = std::collections::HashMap::with_capacity(columns.len());
    for (number, name) in (1..).zip(columns) {
        if name.is_empty() {
            return Err(CsvError::ColumnUnnamed {
                place: place.clone(),
                number,
            });
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
            columns
                .iter()
                .position(|name| name == wanted)
                .ok_or_else(|| CsvError::KeyMissing {
                    file: file.into(),
                    column: wanted.clone(),
                    columns: columns.join(", "),
                })
        })
        .collect()
}
