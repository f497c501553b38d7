//! Bytes of one stream to lines, however the pieces fall.

use jiff::Timestamp;

/// A line that ended, or the beginning of one that is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// When its first byte was written.
    pub(super) time: Timestamp,
    /// At most the assembler's limit.
    pub(super) text: Vec<u8>,
    /// Bytes of the whole line, without its newline.
    pub(super) bytes: u64,
}

/// Joins pieces to lines. Holds at most one line and of that at most `line_bytes_max`.
#[derive(Debug)]
pub(super) struct LineAssembler {
    line_bytes_max: usize,
    current: Option<Line>,
}

impl LineAssembler {
    pub(super) fn new(line_bytes_max: usize) -> Self {
        Self { line_bytes_max, current: None }
    }

    /// Takes a piece; gives each line that ended in it to `each`.
    pub(super) fn push(&mut self, time: Timestamp, piece: &[u8], mut each: impl FnMut(Line)) {
        let mut rest = piece;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            self.grow(time, &rest[..at]);
            each(self.current.take().unwrap_or(Line { time, text: Vec::new(), bytes: 0 }));
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            self.grow(time, rest);
        }
    }

    /// What was said last without a newline.
    pub(super) fn finish(&mut self) -> Option<Line> {
        self.current.take()
    }

    fn grow(&mut self, time: Timestamp, bytes: &[u8]) {
        let line = self.current.get_or_insert_with(|| Line { time, text: Vec::new(), bytes: 0 });
        let room = self.line_bytes_max - line.text.len();
        line.text.extend_from_slice(&bytes[..room.min(bytes.len())]);
        line.bytes += bytes.len() as u64;
    }
}

impl Line {
    /// The line as text: invalid UTF-8 replaced, a carriage return at its end dropped, a cut said.
    pub(super) fn into_text(self) -> String {
        let is_cut = self.bytes > self.text.len() as u64;
        let bytes = self.text.strip_suffix(b"\r").unwrap_or(&self.text);
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if is_cut {
            text += &format!(" [cut: the line has {} bytes, the complete log keeps it]", self.bytes);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(limit: usize, pieces: &[&str]) -> Vec<String> {
        let mut assembler = LineAssembler::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            assembler.push(Timestamp::UNIX_EPOCH, piece.as_bytes(), |line| found.push(line.into_text()));
        }
        found.extend(assembler.finish().map(Line::into_text));
        found
    }

    #[test]
    fn lines_are_joined_across_pieces_and_the_last_needs_no_newline() {
        assert_eq!(
            lines(100, &["one\ntw", "o", "\n\nthr", "ee\r\nfour"]),
            ["one", "two", "", "three", "four"]
        );
    }

    #[test]
    fn a_long_line_is_cut_with_a_mark() {
        assert_eq!(
            lines(4, &["abc", "defgh\nok\n"]),
            ["abcd [cut: the line has 8 bytes, the complete log keeps it]", "ok"]
        );
    }
}
