//! A slice in the making: what is known of it, where it goes, and the writer that counts and checksums.

use std::fs::File;
use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3Default;

use super::batch::Batch;
use super::keys::{KeyHasher, KeyWriter};

/// Ordinals of rows are 32 bits wide in bitmaps and key indexes.
pub(super) const ROWS_MAX: u64 = u32::MAX as u64;

/// What is known of a slice after it was read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SliceFacts {
    pub columns: Vec<String>,
    pub rows: u64,
    /// Bytes of the canonical file, header included.
    pub bytes: u64,
    /// XXH3-128 of the canonical file.
    pub checksum: u128,
}

/// What [`check`](super::check()) found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// The file is canonical as it stands and may become a slice without being copied.
    Canonical(SliceFacts),
    /// Well-formed as far as read, but in another dialect: [`ingest`](super::ingest()) makes slices of it.
    /// What was written to the key index is void.
    Foreign,
}

/// Where one new slice goes: its CSV and, when a key is asked for, its key index.
#[derive(Debug)]
pub(crate) struct SliceFiles {
    pub csv: File,
    pub keys: Option<File>,
}

/// Bytes and checksum of a canonical file as it passes by.
#[derive(Default)]
pub(super) struct Digest {
    hasher: Xxh3Default,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

impl Digest {
    pub(super) fn update(&mut self, text: &[u8], rows: usize) {
        self.hasher.update(text);
        self.bytes += text.len() as u64;
        self.rows += rows as u64;
    }

    pub(super) fn facts(&self, columns: &[String]) -> SliceFacts {
        let Self { hasher, bytes, rows } = self;
        SliceFacts { columns: columns.to_vec(), rows: *rows, bytes: *bytes, checksum: hasher.digest128() }
    }
}

/// Writes one canonical slice and its key index.
pub(super) struct SliceWriter {
    csv: File,
    keys: Option<(KeyHasher, KeyWriter<File>)>,
    pub(super) digest: Digest,
}

impl SliceWriter {
    /// `hasher` is there when a key index is asked for.
    pub(super) fn new(files: SliceFiles, hasher: Option<KeyHasher>) -> Self {
        Self { csv: files.csv, keys: hasher.zip(files.keys.map(KeyWriter::new)), digest: Digest::default() }
    }

    /// Writes canonical text that holds so many rows.
    pub(super) fn write(&mut self, text: &[u8], rows: usize) -> io::Result<()> {
        self.digest.update(text, rows);
        self.csv.write_all(text)
    }

    /// Writes canonical rows as they stand, and their keys.
    pub(super) fn copy(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        if let Some((hasher, keys)) = &mut self.keys {
            hasher.hash_batch(batch, keys)?;
        }
        self.write(batch.text(), batch.rows())
    }

    /// Notes the key of a row that is written later.
    pub(super) fn index(&mut self, bytes: &[u8], start: usize, ends: &[u32]) -> io::Result<()> {
        match &mut self.keys {
            Some((hasher, keys)) => keys.push(hasher.hash(bytes, start, ends)),
            None => Ok(()),
        }
    }

    pub(super) fn finish(self, columns: &[String]) -> io::Result<SliceFacts> {
        if let Some((_, keys)) = self.keys {
            keys.finish()?;
        }
        Ok(self.digest.facts(columns))
    }
}
