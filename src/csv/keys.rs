//! The key index of a slice: for every row the hash of its key, in sorted runs of bounded length.
//!
//! File: the magic, then runs (entry count as u64, then the entries), then a run of length 0 and the number of all
//! entries. An entry is 20 bytes: XXH3-128 of the key, then the row's ordinal. All numbers are little-endian.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::xxh3_128;

use super::batch::Batch;
use super::field;

const MAGIC: &[u8; 8] = b"LSKEYS\x00\x01";

/// Bounds the memory of writing an index to 12 MiB and the height of its merge: 10 runs for 5 million rows.
const RUN_ENTRIES_MAX: usize = 1 << PLACE_BITS;

/// Bits that hold a place in a run.
const PLACE_BITS: u32 = 19;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;

/// Entries are written out in pieces of about this size.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) const ENTRY_BYTES: usize = 20;

/// The hash of a row's key and the row's ordinal in its slice. Sorts by hash, then by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) hash: u128,
    pub(super) row: u32,
}

impl Entry {
    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let (hash, row) = bytes.split_at_mut(16);
        hash.copy_from_slice(&self.hash.to_le_bytes());
        row.copy_from_slice(&self.row.to_le_bytes());
        bytes
    }

    #[inline]
    pub(super) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [hash @ .., a, b, c, d] = *bytes;
        Self { hash: u128::from_le_bytes(hash), row: u32::from_le_bytes([a, b, c, d]) }
    }
}

/// Hashes the key of a row. Each value is preceded by its length, so that `ab`,`c` and `a`,`bc` differ.
#[derive(Debug, Clone)]
pub(super) struct KeyHasher {
    fields: Vec<usize>,
    enclosure: u8,
    scratch: Vec<u8>,
}

impl KeyHasher {
    pub(super) fn new(fields: Vec<usize>, enclosure: u8) -> Self {
        Self { fields, enclosure, scratch: Vec::new() }
    }

    /// `ends` are the ends of all fields of the row, the last one without a carriage return.
    #[inline]
    pub(super) fn hash(&mut self, bytes: &[u8], start: usize, ends: &[u32]) -> u128 {
        self.scratch.clear();
        for &index in &self.fields {
            let from = index
                .checked_sub(1)
                .and_then(|before| ends.get(before))
                .map_or(start, |end| *end as usize + 1);
            let to = ends.get(index).map_or(from, |end| *end as usize);
            let value = field::value(bytes.get(from..to).unwrap_or_default(), self.enclosure);
            // A record, and so a field, is far below 4 GiB.
            self.scratch.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            self.scratch.extend_from_slice(&value);
        }
        xxh3_128(&self.scratch)
    }

    /// Hashes every row of a batch.
    pub(super) fn hash_batch<W: Write>(
        &mut self,
        batch: &Batch<'_>,
        keys: &mut KeyWriter<W>,
    ) -> io::Result<()> {
        for (start, ends) in batch.records() {
            keys.push(self.hash(batch.bytes, start, ends))?;
        }
        Ok(())
    }
}

/// Writes a key index.
#[derive(Debug)]
pub(super) struct KeyWriter<W> {
    output: W,
    /// The hashes of the run in the making, in the order of its rows.
    hashes: Vec<u128>,
    /// What is sorted in their stead: the upper bits of a hash above its place among the hashes. Numbers sort several
    /// times faster than entries.
    order: Vec<u64>,
    /// Ordinal of the first row of the run.
    first_row: u32,
    is_begun: bool,
}

impl<W: Write> KeyWriter<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, hashes: Vec::new(), order: Vec::new(), first_row: 0, is_begun: false }
    }

    /// Takes the hash of the next row.
    pub(super) fn push(&mut self, hash: u128) -> io::Result<()> {
        self.hashes.push(hash);
        if self.hashes.len() >= RUN_ENTRIES_MAX { self.end_run() } else { Ok(()) }
    }

    fn end_run(&mut self) -> io::Result<()> {
        self.sort();
        let count = self.hashes.len();
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + ENTRY_BYTES);
        self.begin(&mut chunk);
        chunk.extend_from_slice(&(count as u64).to_le_bytes());
        for order in &self.order {
            let place = order & PLACE_MASK;
            let (Ok(row), Some(hash)) = (u32::try_from(place), self.hashes.get(place as usize)) else {
                continue;
            };
            chunk.extend_from_slice(&Entry { hash: *hash, row: self.first_row + row }.to_bytes());
            if chunk.len() >= CHUNK_BYTES {
                self.output.write_all(&chunk)?;
                chunk.clear();
            }
        }
        // No slice has more rows than ordinals.
        self.first_row += u32::try_from(count).unwrap_or(0);
        self.hashes.clear();
        self.output.write_all(&chunk)
    }

    /// Sorts places by their whole hashes, then by row.
    fn sort(&mut self) {
        self.order.clear();
        let upper = |hash: &u128| (hash >> 64) as u64 & !PLACE_MASK;
        self.order.extend((0..).zip(&self.hashes).map(|(place, hash)| upper(hash) | place));
        self.order.sort_unstable();
        // Hashes whose upper bits are the same are mostly the same.
        let full =
            |order: &u64| (self.hashes.get((order & PLACE_MASK) as usize).copied(), order & PLACE_MASK);
        for same in self.order.chunk_by_mut(|left, right| left & !PLACE_MASK == right & !PLACE_MASK) {
            if same.len() > 1 {
                same.sort_unstable_by_key(full);
            }
        }
    }

    fn begin(&mut self, chunk: &mut Vec<u8>) {
        if !self.is_begun {
            chunk.extend_from_slice(MAGIC);
            self.is_begun = true;
        }
    }

    /// Writes what is left and the end mark.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.hashes.is_empty() {
            self.end_run()?;
        }
        let mut end = Vec::with_capacity(24);
        self.begin(&mut end);
        end.extend_from_slice(&0_u64.to_le_bytes());
        end.extend_from_slice(&u64::from(self.first_row).to_le_bytes());
        self.output.write_all(&end)?;
        self.output.flush()
    }
}

/// A sorted stretch of a key index file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) file: &'a File,
    /// Offset of the first entry.
    pub(super) offset: u64,
    pub(super) entries: u64,
}

impl Run<'_> {
    /// Reads the entries from number `first` on into `page` (a multiple of the entry size); returns how many.
    pub(super) fn read(&self, first: u64, page: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.entries - first).unwrap_or(usize::MAX);
        let count = left.min(page.len() / ENTRY_BYTES);
        if let Some(part) = page.get_mut(..count * ENTRY_BYTES) {
            self.file.read_exact_at(part, self.offset + first * ENTRY_BYTES as u64)?;
        }
        Ok(count)
    }
}

/// The runs of a key index.
pub(super) fn runs(file: &File) -> io::Result<Vec<Run<'_>>> {
    let damaged =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the key index is damaged: {what}"));
    let mut magic = [0; 8];
    file.read_exact_at(&mut magic, 0)?;
    if &magic != MAGIC {
        return Err(damaged("it is of another kind or version"));
    }
    let size = file.metadata()?.len();
    let mut found = Vec::new();
    let mut total = 0;
    let mut offset = 8;
    loop {
        let mut number = [0; 8];
        file.read_exact_at(&mut number, offset)?;
        let entries = u64::from_le_bytes(number);
        offset += 8;
        if entries == 0 {
            file.read_exact_at(&mut number, offset)?;
            let is_whole = u64::from_le_bytes(number) == total && offset + 8 == size;
            return if is_whole { Ok(found) } else { Err(damaged("its end does not fit")) };
        }
        found.push(Run { file, offset, entries });
        total += entries;
        offset = entries
            .checked_mul(ENTRY_BYTES as u64)
            .and_then(|bytes| bytes.checked_add(offset))
            .filter(|next| *next < size)
            .ok_or_else(|| damaged("a run is longer than the file"))?;
    }
}
