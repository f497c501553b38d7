//! How values lie in columns, both ways. Whatever does not read back is [`CatalogError::Damaged`], with its column.

use std::str::FromStr;

use jiff::Timestamp;
use roaring::RoaringBitmap;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::blob::BlobKey;
use crate::job::LoadKind;

use super::CatalogError;
use super::error::doing;

pub(super) fn integer(row: &AnyRow, column: &'static str) -> Result<i64, CatalogError> {
    row.try_get(column).map_err(doing(format!("read the column {column}")))
}

pub(super) fn optional_integer(row: &AnyRow, column: &'static str) -> Result<Option<i64>, CatalogError> {
    row.try_get(column).map_err(doing(format!("read the column {column}")))
}

pub(super) fn text(row: &AnyRow, column: &'static str) -> Result<String, CatalogError> {
    row.try_get(column).map_err(doing(format!("read the column {column}")))
}

pub(super) fn optional_text(row: &AnyRow, column: &'static str) -> Result<Option<String>, CatalogError> {
    row.try_get(column).map_err(doing(format!("read the column {column}")))
}

pub(super) fn bytes(row: &AnyRow, column: &'static str) -> Result<Vec<u8>, CatalogError> {
    row.try_get(column).map_err(doing(format!("read the column {column}")))
}

pub(super) fn optional_bytes(row: &AnyRow, column: &'static str) -> Result<Option<Vec<u8>>, CatalogError> {
    row.try_get(column).map_err(doing(format!("read the column {column}")))
}

fn damaged(column: &'static str, found: impl Into<String>) -> CatalogError {
    CatalogError::Damaged { column, found: found.into() }
}

/// A count, a number or a size: never negative.
pub(super) fn count(row: &AnyRow, column: &'static str) -> Result<u64, CatalogError> {
    let found = integer(row, column)?;
    u64::try_from(found).map_err(|_negative| damaged(column, found.to_string()))
}

/// As a column holds it. What does not fit is larger than anything stored, and so is what becomes of it.
pub(super) fn optional_count(row: &AnyRow, column: &'static str) -> Result<Option<u64>, CatalogError> {
    optional_integer(row, column)?.map(|_found| count(row, column)).transpose()
}

pub(super) fn stored_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn flag(row: &AnyRow, column: &'static str) -> Result<bool, CatalogError> {
    Ok(integer(row, column)? != 0)
}

pub(super) fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp, CatalogError> {
    time_of(integer(row, column)?, column)
}

pub(super) fn optional_time(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>, CatalogError> {
    optional_integer(row, column)?.map(|found| time_of(found, column)).transpose()
}

fn time_of(microseconds: i64, column: &'static str) -> Result<Timestamp, CatalogError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|_out_of_range| damaged(column, microseconds.to_string()))
}

/// A text that is one of ours: an id, a table name.
pub(super) fn parsed<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T, CatalogError> {
    let found = text(row, column)?;
    found.parse().map_err(|_not_one| damaged(column, found))
}

pub(super) fn optional_parsed<T: FromStr>(
    row: &AnyRow,
    column: &'static str,
) -> Result<Option<T>, CatalogError> {
    let found = optional_text(row, column)?;
    found.map(|found| found.parse().map_err(|_not_one| damaged(column, found))).transpose()
}

/// A text of a closed list, by the list's own way to read it.
pub(super) fn named<T>(
    row: &AnyRow,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, CatalogError> {
    let found = text(row, column)?;
    parse(&found).ok_or_else(|| damaged(column, found))
}

pub(super) fn load_kind(row: &AnyRow, column: &'static str) -> Result<LoadKind, CatalogError> {
    named(row, column, |found| {
        [LoadKind::Replace, LoadKind::Append, LoadKind::Upsert]
            .into_iter()
            .find(|kind| kind.as_str() == found)
    })
}

pub(super) fn blob_key(row: &AnyRow, column: &'static str) -> Result<BlobKey, CatalogError> {
    let found = text(row, column)?;
    BlobKey::parse(found.clone()).map_err(|_not_a_key| damaged(column, found))
}

pub(super) fn optional_blob_key(row: &AnyRow, column: &'static str) -> Result<Option<BlobKey>, CatalogError> {
    let found = optional_text(row, column)?;
    found.map(|found| BlobKey::parse(found.clone()).map_err(|_not_a_key| damaged(column, found))).transpose()
}

pub(super) fn names(row: &AnyRow, column: &'static str) -> Result<Vec<String>, CatalogError> {
    let found = text(row, column)?;
    serde_json::from_str(&found).map_err(|_not_a_list| damaged(column, found))
}

pub(super) fn stored_names(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}

pub(super) fn checksum(row: &AnyRow, column: &'static str) -> Result<u128, CatalogError> {
    let found = bytes(row, column)?;
    let found: [u8; 16] =
        found.try_into().map_err(|found: Vec<u8>| damaged(column, format!("{found:02x?}")))?;
    Ok(u128::from_be_bytes(found))
}

/// No bitmap: nothing is deleted.
pub(super) fn bitmap(row: &AnyRow, column: &'static str) -> Result<RoaringBitmap, CatalogError> {
    let Some(found) = optional_bytes(row, column)? else {
        return Ok(RoaringBitmap::new());
    };
    RoaringBitmap::deserialize_from(found.as_slice())
        .map_err(|_not_a_bitmap| damaged(column, format!("{} bytes", found.len())))
}

pub(super) fn stored_bitmap(bitmap: &RoaringBitmap) -> Result<Vec<u8>, CatalogError> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).map_err(|source| CatalogError::Sql {
        action: "write a bitmap".into(),
        source: sqlx::Error::Io(source),
    })?;
    Ok(bytes)
}

/// Now, as columns hold times.
pub(super) fn stored_now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// A text that components and people influence. `PostgreSQL` refuses the character NUL in any text, so its picture
/// stands for it, in both databases.
pub(super) fn stored_text(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
