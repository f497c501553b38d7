//! One stream of a container: bytes to masked bytes, to lines, to messages.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::lines::{Line, LineAssembler};
use super::record::Record;
use super::redact::StreamRedactor;
use super::traceback::{Joined, Joiner};
use super::{Level, Redactor, Source, VerbosityMap};

/// Bytes of a stream's last lines that a failure message may quote.
const TAIL_BYTES_MAX: usize = 16 * 1024;

/// What was said, before it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    pub(super) text: String,
    /// A JSON object.
    pub(super) fields: Option<String>,
    /// It said itself how serious it is.
    pub(super) is_record: bool,
}

#[derive(Debug)]
pub(super) struct Voice {
    /// Of lines that do not say theirs.
    level: Level,
    stream: StreamRedactor,
    redactor: Redactor,
    lines: LineAssembler,
    joiner: Joiner,
    pub(super) tail: Tail,
}

/// The last lines of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Voice {
    pub(super) fn new(source: Source, redactor: &Redactor, line_bytes_max: usize) -> Self {
        let level = match source {
            Source::Stdout | Source::Gelf | Source::Runner => Level::Info,
            Source::Stderr => Level::Error,
        };
        Self {
            level,
            stream: redactor.stream(),
            redactor: redactor.clone(),
            lines: LineAssembler::new(line_bytes_max),
            joiner: Joiner::new(line_bytes_max),
            tail: Tail::default(),
        }
    }

    /// Appends what can be said for certain to `out`.
    pub(super) fn mask(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.stream.push(piece, out);
    }

    pub(super) fn end_mask(&mut self, out: &mut Vec<u8>) {
        self.stream.finish(out);
    }

    /// Takes masked bytes; gives the messages that ended in them.
    pub(super) fn hear(
        &mut self,
        time: Timestamp,
        masked: &[u8],
        verbosity: &VerbosityMap,
        mut each: impl FnMut(Message),
    ) {
        let mut lines = Vec::new();
        self.lines.push(time, masked, |line| lines.push(line));
        for line in lines {
            self.say(line, verbosity, &mut each);
        }
    }

    /// What was said last without a newline, and what was held back.
    pub(super) fn finish(&mut self, verbosity: &VerbosityMap, mut each: impl FnMut(Message)) {
        if let Some(line) = self.lines.finish() {
            self.say(line, verbosity, &mut each);
        }
        if let Some(joined) = self.joiner.finish() {
            each(self.plain(joined));
        }
    }

    /// A blank line is in the log but is no message.
    fn say(&mut self, line: Line, verbosity: &VerbosityMap, each: &mut impl FnMut(Message)) {
        let time = line.time;
        let text = line.into_text();
        let Some(record) = Record::of_line(&text, &self.redactor) else {
            let mut joined = Vec::new();
            self.joiner.push(time, text, |whole| joined.push(whole));
            for whole in joined {
                each(self.plain(whole));
            }
            return;
        };
        if let Some(joined) = self.joiner.finish() {
            each(self.plain(joined));
        }
        let level = record.level.unwrap_or(self.level);
        let is_record = record.level.is_some();
        if let Some(shown) = record.shown(level, verbosity).filter(|shown| !shown.message.trim().is_empty()) {
            self.tail.push(&shown.message);
            each(Message { time, level, text: shown.message, fields: shown.fields, is_record });
        }
    }

    fn plain(&mut self, joined: Joined) -> Message {
        self.tail.push(&joined.text);
        let level = if joined.is_traceback { Level::Error } else { self.level };
        Message { time: joined.time, level, text: joined.text, fields: None, is_record: false }
    }
}

impl Tail {
    /// A text cut to what a tail holds.
    pub(super) fn of(text: &str) -> String {
        let mut tail = Self::default();
        tail.push(text);
        tail.join()
    }

    fn push(&mut self, text: &str) {
        for line in text.lines() {
            self.bytes += line.len() + 1;
            self.lines.push_back(line.to_owned());
            while self.bytes > TAIL_BYTES_MAX && self.lines.len() > 1 {
                if let Some(dropped) = self.lines.pop_front() {
                    self.bytes -= dropped.len() + 1;
                }
            }
        }
    }

    pub(super) fn join(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_whole_and_no_more_of_them_than_there_is_room_for() {
        let mut tail = Tail::default();
        let line = |number: usize| format!("{number:04} {}", "x".repeat(95));
        (0..1_000).for_each(|number| tail.push(&line(number)));
        let kept: Vec<String> = (1_000 - TAIL_BYTES_MAX / 101..1_000).map(line).collect();
        assert_eq!(tail.join(), kept.join("\n"));
    }
}
