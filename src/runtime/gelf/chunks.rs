//! Puts messages together that came in chunks, in whatever order.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::MESSAGE_BYTES_MAX;

/// Messages that are half here at the same time; the oldest gives way.
const MESSAGES_MAX: usize = 64;
/// Of all of them together.
const BYTES_MAX: usize = 8 << 20;
/// GELF's own: all chunks come within five seconds.
const AGE_MAX: Duration = Duration::from_secs(5);
const COUNT_MAX: u8 = 128;
const MAGIC: [u8; 2] = [0x1e, 0x0f];
const HEADER_BYTES: usize = 12;

/// What became of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A message, whole.
    Whole(Vec<u8>),
    /// A chunk of one; the rest is awaited.
    Part,
}

/// Messages of which some chunks are here.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// In the order of their first chunks.
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Messages given up.
    pub(super) incomplete: u64,
}

#[derive(Debug)]
struct Waiting {
    /// Chosen by the sender.
    id: [u8; 8],
    since: Instant,
    count: u8,
    parts: BTreeMap<u8, Vec<u8>>,
    bytes: usize,
}

impl Chunks {
    /// Takes a datagram. One that only looks like a chunk is a message like any other.
    pub(super) fn take(&mut self, now: Instant, datagram: &[u8]) -> Taken {
        let Some((id, number, count, part)) = chunk(datagram) else {
            return Taken::Whole(datagram.to_vec());
        };
        self.expire(now);
        let found = self.waiting.iter().position(|waiting| waiting.id == id && waiting.count == count);
        let place = found.unwrap_or_else(|| {
            self.waiting.push_back(Waiting { id, since: now, count, parts: BTreeMap::new(), bytes: 0 });
            self.waiting.len() - 1
        });
        let Some(waiting) = self.waiting.get_mut(place) else { return Taken::Part };
        if waiting.bytes + part.len() > MESSAGE_BYTES_MAX {
            self.drop_at(place);
            return Taken::Part;
        }
        // A chunk that comes twice is the same chunk.
        if let Entry::Vacant(place) = waiting.parts.entry(number) {
            place.insert(part.to_vec());
            waiting.bytes += part.len();
            self.bytes += part.len();
        }
        if waiting.parts.len() == usize::from(count) {
            let whole = self.waiting.remove(place).map(|waiting| {
                self.bytes -= waiting.bytes;
                waiting.parts.into_values().flatten().collect()
            });
            return whole.map_or(Taken::Part, Taken::Whole);
        }
        while self.waiting.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            self.drop_at(0);
        }
        Taken::Part
    }

    /// Gives up messages whose chunks did not come in time.
    fn expire(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|oldest| now.duration_since(oldest.since) > AGE_MAX) {
            self.drop_at(0);
        }
    }

    /// Nothing comes any more: how many messages were never whole.
    pub(super) fn finish(self) -> u64 {
        self.incomplete + self.waiting.len() as u64
    }

    fn drop_at(&mut self, place: usize) {
        if let Some(waiting) = self.waiting.remove(place) {
            self.bytes -= waiting.bytes;
            self.incomplete += 1;
        }
    }
}

/// Id, number, count and content: two bytes of magic, eight of id, one of number, one of count.
fn chunk(datagram: &[u8]) -> Option<([u8; 8], u8, u8, &[u8])> {
    let (header, part) = datagram.split_at_checked(HEADER_BYTES)?;
    let (magic, rest) = header.split_at_checked(MAGIC.len())?;
    let (id, numbers) = rest.split_first_chunk::<8>()?;
    let [number, count] = *numbers else { return None };
    let is_chunk = magic == MAGIC && (1..=COUNT_MAX).contains(&count) && number < count;
    is_chunk.then_some((*id, number, count, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(id: u8, number: u8, count: u8, part: &[u8]) -> Vec<u8> {
        [&MAGIC[..], &[id; 8], &[number, count], part].concat()
    }

    #[test]
    fn chunks_of_two_messages_out_of_order_and_twice_become_two_messages() {
        let (mut chunks, now) = (Chunks::default(), Instant::now());
        let mut whole = Vec::new();
        for (id, number, part) in
            [(1, 2, b"c"), (2, 1, b"y"), (1, 0, b"a"), (1, 0, b"a"), (2, 0, b"x"), (1, 1, b"b")]
        {
            let count = if id == 1 { 3 } else { 2 };
            if let Taken::Whole(message) = chunks.take(now, &datagram(id, number, count, part)) {
                whole.push(message);
            }
        }
        assert_eq!(whole, [b"xy".as_slice(), b"abc"]);
        assert_eq!(chunks.finish(), 0);
    }

    #[test]
    fn a_message_whose_chunks_do_not_come_is_given_up() {
        let (mut chunks, now) = (Chunks::default(), Instant::now());
        assert_eq!(chunks.take(now, &datagram(1, 0, 2, b"a")), Taken::Part);
        assert_eq!(chunks.take(now + AGE_MAX * 2, &datagram(1, 1, 2, b"b")), Taken::Part);
        assert_eq!((chunks.incomplete, chunks.waiting.len()), (1, 1));
    }

    #[test]
    fn a_flood_of_beginnings_is_bounded() {
        let (mut chunks, now) = (Chunks::default(), Instant::now());
        for id in 0..200 {
            chunks.take(now, &datagram(id, 0, 128, b"x"));
        }
        assert_eq!((chunks.waiting.len(), chunks.incomplete), (MESSAGES_MAX, 200 - MESSAGES_MAX as u64));
        for (id, number) in (0..200).flat_map(|id| (0..3).map(move |number| (id, number))) {
            chunks.take(now, &datagram(id, number, 127, &vec![b'x'; 60_000]));
            assert!(chunks.waiting.len() <= MESSAGES_MAX && chunks.bytes <= BYTES_MAX);
        }
        assert_eq!(chunks.finish(), 400);
    }

    #[test]
    fn what_is_no_chunk_is_a_message() {
        let (mut chunks, now) = (Chunks::default(), Instant::now());
        for odd in
            [b"{}".to_vec(), datagram(1, 3, 3, b"x"), datagram(1, 0, 0, b"x"), datagram(1, 0, 129, b"x")]
        {
            assert_eq!(chunks.take(now, &odd), Taken::Whole(odd.clone()));
        }
    }
}
