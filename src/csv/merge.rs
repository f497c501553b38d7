//! Finds rows with the same key by merging the sorted runs of key indexes, in constant memory.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io;

use roaring::RoaringBitmap;

use super::keys::{self, ENTRY_BYTES, Entry, Run};

/// Memory for reading all runs of a merge together.
const MERGE_BYTES: usize = 16 * 1024 * 1024;

/// Entries read at once, at most and at least, per run.
const PAGE_ENTRIES_MAX: usize = 4096;
const PAGE_ENTRIES_MIN: usize = 200;

/// Entries read at once in a search: one page of memory.
const PROBE_ENTRIES: usize = 4096 / ENTRY_BYTES;

/// From this ratio of old to incoming entries on, looking each incoming key up costs less than reading all old ones.
const SEARCH_RATIO: u64 = 256;

/// For the slices of one load, in order: the rows of each that a later row with the same key replaces.
pub(crate) fn duplicates_within(indexes: &mut [File]) -> io::Result<Vec<RoaringBitmap>> {
    let mut replaced = vec![RoaringBitmap::new(); indexes.len()];
    let mut merge = Merge::new(indexes)?;
    let mut previous: Option<Found> = None;
    while let Some(found) = merge.next()? {
        if let Some(previous) = previous
            && previous.entry.hash == found.entry.hash
            && let Some(rows) = replaced.get_mut(previous.index)
        {
            rows.insert(previous.entry.row);
        }
        previous = Some(found);
    }
    Ok(replaced)
}

/// The rows of `old` whose key occurs in any of `incoming`. Costs the smaller side where it can.
pub(crate) fn superseded(old: &mut File, incoming: &mut [File]) -> io::Result<RoaringBitmap> {
    let runs = keys::runs(old)?;
    let old_entries: u64 = runs.iter().map(|run| run.entries).sum();
    let mut incoming = Merge::new(incoming)?;
    if incoming.entries.saturating_mul(SEARCH_RATIO) < old_entries {
        return search(&runs, incoming);
    }
    let mut rows = RoaringBitmap::new();
    let mut old = Merge::new(std::slice::from_ref(old))?;
    let mut wanted = incoming.next()?;
    let mut found = old.next()?;
    while let (Some(key), Some(row)) = (wanted, found) {
        match row.entry.hash.cmp(&key.entry.hash) {
            Ordering::Less => found = old.next()?,
            Ordering::Greater => wanted = incoming.next()?,
            Ordering::Equal => {
                rows.insert(row.entry.row);
                found = old.next()?;
            }
        }
    }
    Ok(rows)
}

/// Looks every incoming key up in every run.
fn search(runs: &[Run<'_>], mut incoming: Merge<'_>) -> io::Result<RoaringBitmap> {
    let mut rows = RoaringBitmap::new();
    let mut page = [0; PROBE_ENTRIES * ENTRY_BYTES];
    let mut previous = None;
    while let Some(Found { entry: Entry { hash, .. }, .. }) = incoming.next()? {
        if previous.replace(hash) == Some(hash) {
            continue;
        }
        for run in runs {
            let mut at = lower_bound(run, hash, &mut page)?;
            'run: while at < run.entries {
                let count = run.read(at, &mut page)?;
                for entry in entries(&page, count) {
                    if entry.hash != hash {
                        break 'run;
                    }
                    rows.insert(entry.row);
                }
                at += count as u64;
            }
        }
    }
    Ok(rows)
}

/// The number of the first entry of `run` whose hash is not below `hash`. Hashes are spread evenly, so a guess lands
/// near, and the page read there brings the next guess still nearer; after a few it halves, as hostile keys are possible.
fn lower_bound(run: &Run<'_>, hash: u128, page: &mut [u8]) -> io::Result<u64> {
    const GUESSES: u32 = 4;
    // The answer lies in low..=high; the hashes just outside are at least `floor` and at most `ceiling`.
    let (mut low, mut high) = (0, run.entries);
    let (mut floor, mut ceiling) = (0_u128, u128::MAX);
    let mut tries = 0;
    while low < high {
        let guess = if tries < GUESSES {
            interpolate(low..high, floor, ceiling, hash)
        } else {
            u64::midpoint(low, high)
        };
        tries += 1;
        let first = guess.saturating_sub(PROBE_ENTRIES as u64 / 2).max(low);
        let count = run.read(first, page)?;
        let mut below = 0;
        for entry in entries(page, count) {
            if entry.hash >= hash {
                if below > 0 || first == low {
                    return Ok(first + below);
                }
                ceiling = entry.hash;
                break;
            }
            floor = entry.hash;
            below += 1;
        }
        if below == 0 {
            high = first;
        } else {
            low = first + below;
        }
    }
    Ok(low)
}

/// Where `hash` would lie in `range`, if hashes were spread evenly between `floor` and `ceiling`.
fn interpolate(range: std::ops::Range<u64>, floor: u128, ceiling: u128, hash: u128) -> u64 {
    // The upper halves are precise enough and leave room for the product.
    let (floor, ceiling, hash) = (floor >> 64, ceiling >> 64, hash >> 64);
    let length = u128::from(range.end - range.start);
    let offset = hash.saturating_sub(floor) * length / (ceiling.saturating_sub(floor) + 1);
    range.start + u64::try_from(offset.min(length)).unwrap_or(0)
}

fn entries(page: &[u8], count: usize) -> impl Iterator<Item = Entry> {
    let (entries, _) = page.as_chunks::<ENTRY_BYTES>();
    entries.iter().take(count).map(Entry::from_bytes)
}

/// An entry and the number of the index it comes from.
#[derive(Debug, Clone, Copy)]
struct Found {
    entry: Entry,
    index: usize,
}

/// All entries of several indexes by hash, then index, then row.
#[derive(Debug)]
struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    /// The next entry of each cursor: hash, index, row, cursor.
    heads: BinaryHeap<Reverse<(u128, usize, u32, usize)>>,
    entries: u64,
}

/// A place in a run.
#[derive(Debug)]
struct Cursor<'a> {
    run: Run<'a>,
    /// Entries read from the file so far.
    read: u64,
    page: Vec<u8>,
    /// Entries of the page, and how many of them were handed out.
    filled: usize,
    taken: usize,
}

impl<'a> Merge<'a> {
    fn new(indexes: &'a [File]) -> io::Result<Self> {
        let mut runs = Vec::new();
        for (index, file) in indexes.iter().enumerate() {
            runs.extend(keys::runs(file)?.into_iter().map(|run| (index, run)));
        }
        let share = MERGE_BYTES / ENTRY_BYTES / runs.len().max(1);
        let page_entries = share.clamp(PAGE_ENTRIES_MIN, PAGE_ENTRIES_MAX);
        let mut merge =
            Self { cursors: Vec::with_capacity(runs.len()), heads: BinaryHeap::new(), entries: 0 };
        for (number, (index, run)) in runs.into_iter().enumerate() {
            merge.entries += run.entries;
            let page = vec![0; page_entries * ENTRY_BYTES];
            let mut cursor = Cursor { run, read: 0, page, filled: 0, taken: 0 };
            if let Some(entry) = cursor.next()? {
                merge.heads.push(Reverse((entry.hash, index, entry.row, number)));
            }
            merge.cursors.push(cursor);
        }
        Ok(merge)
    }

    #[inline]
    fn next(&mut self) -> io::Result<Option<Found>> {
        let Some(mut head) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let Reverse((hash, index, row, number)) = *head;
        let next = match self.cursors.get_mut(number) {
            Some(cursor) => cursor.next()?,
            None => None,
        };
        match next {
            Some(entry) => *head = Reverse((entry.hash, index, entry.row, number)),
            None => {
                PeekMut::pop(head);
            }
        }
        Ok(Some(Found { entry: Entry { hash, row }, index }))
    }
}

impl Cursor<'_> {
    #[inline]
    fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.taken == self.filled {
            if self.read == self.run.entries {
                return Ok(None);
            }
            self.filled = self.run.read(self.read, &mut self.page)?;
            self.read += self.filled as u64;
            self.taken = 0;
        }
        let (entries, _) = self.page.as_chunks::<ENTRY_BYTES>();
        let entry = entries.get(self.taken).map(Entry::from_bytes);
        self.taken += 1;
        Ok(entry)
    }
}
