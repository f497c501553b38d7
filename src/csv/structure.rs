//! What the scanner found: positions and counts, from the first record that was not handed out.

use super::scanner::BLOCK;

/// What was counted in a text.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    /// Line ends outside quotes.
    pub(super) records: u64,
    /// Line ends anywhere.
    pub(super) lines: u64,
    /// Not 0 when a carriage return stands outside quotes.
    pub(super) returns: u64,
    /// Not 0 when a quote stands where none may.
    pub(super) misplaced: u64,
}

impl Tally {
    #[inline]
    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.lines += other.lines;
        self.returns |= other.returns;
        self.misplaced |= other.misplaced;
    }
}

/// What was found so far and not yet consumed.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// Positions of the bytes that end fields; only the first `len` count.
    slots: Vec<u32>,
    len: usize,
    pub(super) tally: Tally,
}

impl Structure {
    pub(super) fn ends(&self) -> &[u32] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    /// Complete records among the ends.
    pub(super) fn records(&self) -> usize {
        usize::try_from(self.tally.records).unwrap_or(usize::MAX)
    }

    /// Line ends seen since the beginning, also those inside quotes.
    pub(super) fn lines(&self) -> u64 {
        self.tally.lines
    }

    /// Whether a carriage return stands outside quotes.
    pub(super) fn has_carriage_return(&self) -> bool {
        self.tally.returns != 0
    }

    /// Whether the quoting broke a rule.
    pub(super) fn has_fault(&self) -> bool {
        self.tally.misplaced != 0
    }

    /// Forgets all that was found but that it took `lines` line ends to come here.
    pub(super) fn restart(&mut self, lines: u64) {
        self.tally = Tally { lines, returns: self.tally.returns, ..Tally::default() };
        self.len = 0;
    }

    /// Forgets the first `ends`, which end `records`.
    pub(super) fn consume(&mut self, ends: usize, records: usize) {
        self.slots.copy_within(ends..self.len, 0);
        self.len -= ends;
        self.tally.records -= records as u64;
    }

    /// Follows the text, which moved `bytes` to the front.
    pub(super) fn shift(&mut self, bytes: u32) {
        for end in self.slots.iter_mut().take(self.len) {
            *end -= bytes;
        }
    }

    /// Notes that the text ends inside quotes or where a slice may not end.
    pub(super) fn mark_fault(&mut self) {
        self.tally.misplaced = u64::MAX;
    }

    /// Adds the end of a last record that has no line end of its own, as if it had one.
    pub(super) fn end_record(&mut self, position: u32) {
        self.tally.records += 1;
        self.tally.lines += 1;
        self.slots.truncate(self.len);
        self.slots.push(position);
        self.len += 1;
    }

    /// Appends `base` + the number of each set bit, eight at a time: writing a few slots too many is faster than
    /// asking after each bit.
    #[expect(clippy::inline_always, reason = "must take on the instructions that its caller may use")]
    #[inline(always)]
    pub(super) fn extend(&mut self, base: u32, mut bits: u64) {
        let count = bits.count_ones() as usize;
        if self.slots.len() < self.len + BLOCK {
            self.slots.resize((2 * self.slots.len()).max(self.len + 4096), 0);
        }
        let Some(slots) = self.slots.get_mut(self.len..).and_then(|tail| tail.first_chunk_mut::<BLOCK>())
        else {
            return;
        };
        for eight in slots.chunks_exact_mut(8).take(count.div_ceil(8)) {
            for slot in eight {
                *slot = base.wrapping_add(bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
        }
        self.len += count;
    }
}
