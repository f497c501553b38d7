//! One TCP connection's bytes to messages: ended by NUL as GELF has it, or by a newline as many clients do.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::MESSAGE_BYTES_MAX;
use super::budget::{Budget, Share};

/// How often a message is looked at whether it may be whole: JSON over several lines is not whole at each of them.
const LOOKS_MAX: u8 = 16;

/// A message with its part of the door's budget, which it has until it is dropped.
#[derive(Debug)]
pub(super) struct Framed {
    pub(super) bytes: Vec<u8>,
    _share: Share,
}

/// Holds at most one message, within the door's budget.
#[derive(Debug)]
pub(super) struct Frames {
    budget: Arc<Budget>,
    share: Share,
    /// Never begins with a blank.
    pending: Vec<u8>,
    /// Its last byte that is no blank, remembered so that nobody looks for it at each of a million newlines.
    last: u8,
    looks_left: u8,
    /// The message was too long: its beginning was given, the rest of it is passed over.
    is_skipping: bool,
    /// This client ends its messages by newlines.
    is_by_line: bool,
}

impl Frames {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            share: budget.share(),
            budget,
            pending: Vec::new(),
            last: 0,
            looks_left: LOOKS_MAX,
            is_skipping: false,
            is_by_line: false,
        }
    }

    /// Takes what was received; gives each message that ended in it. A message that is too long is given cut.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Framed)) {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr2(0, b'\n', rest) {
            let is_end = rest[at] == 0;
            self.grow(&rest[..at], &mut each);
            if is_end || (self.is_by_line && self.is_skipping) {
                self.end(&mut each);
            } else {
                self.grow(b"\n", &mut each);
                if self.is_whole() {
                    self.is_by_line = true;
                    self.end(&mut each);
                }
            }
            rest = &rest[at + 1..];
        }
        self.grow(rest, &mut each);
    }

    /// What was sent last without an end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Framed)) {
        self.end(&mut each);
    }

    fn grow(&mut self, bytes: &[u8], each: &mut impl FnMut(Framed)) {
        let bytes = if self.pending.is_empty() { bytes.trim_ascii_start() } else { bytes };
        if self.is_skipping || bytes.is_empty() {
            return;
        }
        self.last = bytes.trim_ascii_end().last().copied().unwrap_or(self.last);
        let fitting = bytes.len().min(MESSAGE_BYTES_MAX - self.pending.len());
        let has_room = self.share.grow(fitting);
        if has_room {
            self.pending.extend_from_slice(&bytes[..fitting]);
        }
        if !has_room || fitting < bytes.len() {
            self.end(each);
            self.is_skipping = true;
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Framed)) {
        self.is_skipping = false;
        self.looks_left = LOOKS_MAX;
        let (bytes, share) = (std::mem::take(&mut self.pending), self.budget.share());
        let message = Framed { bytes, _share: std::mem::replace(&mut self.share, share) };
        if !message.bytes.trim_ascii().is_empty() {
            each(message);
        }
    }

    fn is_whole(&mut self) -> bool {
        if self.looks_left == 0 || self.last != b'}' || !self.pending.starts_with(b"{") {
            return false;
        }
        self.looks_left -= 1;
        serde_json::from_slice::<IgnoredAny>(&self.pending).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut frames = Frames::new(Arc::new(Budget::new()));
        let mut found = Vec::new();
        for piece in pieces {
            frames.push(piece, |message| found.push(message.bytes));
        }
        frames.finish(|message| found.push(message.bytes));
        found
    }

    #[test]
    fn a_message_ends_at_a_nul_wherever_the_pieces_fall() {
        assert_eq!(
            messages(&[b"{\"a\":", b"1}\0{\n\"b\":2\n}\0\0{\"c\"", b":3}"]),
            [b"{\"a\":1}".as_slice(), b"{\n\"b\":2\n}", b"{\"c\":3}"]
        );
    }

    #[test]
    fn a_message_ends_at_a_newline_where_it_is_whole() {
        assert_eq!(
            messages(&[b"{\"a\":1}\n{\"b\":", b"{}\n}\ngarbage\n"]),
            [b"{\"a\":1}\n".as_slice(), b"{\"b\":{}\n}\n", b"garbage\n"]
        );
    }

    #[test]
    fn a_message_without_an_end_is_cut_and_the_next_one_is_heard() {
        let long = vec![b'x'; 10 << 20];
        let pieces: Vec<&[u8]> = long.chunks(64 << 10).chain([b"\0{\"a\":1}\0".as_slice()]).collect();
        let found = messages(&pieces);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].len(), MESSAGE_BYTES_MAX);
        assert_eq!(found[1], b"{\"a\":1}");
    }

    #[test]
    fn blanks_cost_as_little_as_other_bytes() {
        let blanks = vec![b'\n'; 8 << 20];
        let open = [b"{\"a\":1".as_slice(), &blanks, b"}\0{\"b\":2}\0"].concat();
        assert_eq!(messages(&[&blanks, b" \r\n{\"a\":1}\n\n"]), [b"{\"a\":1}\n"]);
        let found = messages(&[&open]);
        assert_eq!((found[0].len(), found[1].as_slice()), (MESSAGE_BYTES_MAX, b"{\"b\":2}".as_slice()));
    }

    #[test]
    fn all_connections_share_one_budget() {
        let budget = Arc::new(Budget::new());
        let mut all: Vec<Frames> = (0..40).map(|_| Frames::new(Arc::clone(&budget))).collect();
        let mut cut = 0;
        for frames in &mut all {
            frames.push(&vec![b'x'; MESSAGE_BYTES_MAX], |_message| cut += 1);
        }
        assert!(!budget.share().grow(1));
        drop(all);
        assert!(budget.share().grow(16 << 20), "what they held was given back");
        assert_eq!(cut, 0, "what found no room had no beginning to give");
    }

    #[test]
    fn a_message_has_its_share_until_somebody_has_kept_it() {
        let budget = Arc::new(Budget::new());
        let mut kept = Vec::new();
        let mut frames = Frames::new(Arc::clone(&budget));
        frames.push(b"{\"a\":1}\0", |message| kept.push(message));
        assert!(!budget.share().grow(16 << 20));
        drop(kept);
        assert!(budget.share().grow(16 << 20));
    }
}
