//! The room seen from its door.

mod copying;
mod faults;
mod indexing;
mod ingesting;
mod structure;

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

use super::*;
use crate::job::{Filter, FilterOperator};

/// A reader that gives at most so many bytes at once.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        let (head, tail) = self.0.split_at(count);
        buffer[..count].copy_from_slice(head);
        self.0 = tail;
        Ok(count)
    }
}

fn options() -> ReadOptions {
    ReadOptions {
        file: "t.csv".into(),
        dialect: Dialect::CANONICAL,
        header: Header::FirstRecord,
        key: vec![],
        rows_read: Arc::default(),
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn filter(column: &str, operator: FilterOperator, values: &[&str]) -> Filter {
    Filter { column: column.into(), operator, values: strings(values) }
}

/// The slices made of a text, with their facts.
fn ingested(
    text: &[u8],
    options: &ReadOptions,
    slice_bytes_max: u64,
) -> Result<Vec<(String, SliceFacts)>, CsvError> {
    let mut files: Vec<File> = Vec::new();
    let facts = ingest(&mut Drops(text, 7), options, slice_bytes_max, &mut || {
        let csv = tempfile::tempfile()?;
        files.push(csv.try_clone()?);
        Ok(SliceFiles { csv, keys: None })
    })?;
    let texts = files.iter_mut().map(|file| {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    });
    Ok(texts.zip(facts).collect())
}

/// The one slice made of a text.
fn slice(text: &[u8], options: &ReadOptions) -> String {
    let slices = ingested(text, options, u64::MAX).unwrap();
    let [(text, facts)] = &slices[..] else { panic!("expected one slice, got {slices:?}") };
    assert_eq!(*facts, facts_of(text));
    text.clone()
}

/// What must be known of a canonical text, found out by other means.
fn facts_of(text: &str) -> SliceFacts {
    let (columns, rows) = parsed(text, Dialect::CANONICAL);
    SliceFacts {
        columns,
        rows: rows.len() as u64,
        bytes: text.len() as u64,
        checksum: xxhash_rust::xxh3::xxh3_128(text.as_bytes()),
    }
}

/// Header and rows, read by another reader.
fn parsed(text: &str, dialect: Dialect) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(dialect.delimiter)
        .quote(dialect.enclosure)
        .from_reader(text.as_bytes());
    let mut rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    (header, rows.collect())
}
