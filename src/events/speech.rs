//! The way from a container's bytes to events and the complete log: mask, join to lines, cut, count.

use std::collections::VecDeque;
use std::io::{self, Write};

use jiff::Timestamp;

use super::lines::{Line, LineAssembler};
use super::log::LogWriter;
use super::redact::StreamRedactor;
use super::{Level, Redactor, Source};

/// How much of the speech becomes events.
#[expect(clippy::struct_field_names, reason = "each is a maximum, and says so where it is used")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpeechLimits {
    /// Longer lines are cut with a mark.
    pub line_bytes_max: usize,
    /// Messages that become events whatever their level.
    pub events_max: u64,
    /// Further messages at warning or above.
    pub severe_events_max: u64,
}

impl Default for SpeechLimits {
    fn default() -> Self {
        Self { line_bytes_max: 64 * 1024, events_max: 10_000, severe_events_max: 10_000 }
    }
}

/// A line as it will be an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub time: Timestamp,
    pub level: Level,
    pub source: Source,
    pub message: String,
    /// False: beyond the limits; shown live, not kept in the catalog.
    pub is_kept: bool,
}

/// Bytes of a stream's last lines that a failure message may quote.
const TAIL_BYTES_MAX: usize = 16 * 1024;

/// Listens to one container: everything said, in order per stream.
#[derive(Debug)]
pub(crate) struct Speech<W: Write> {
    stdout: Voice,
    stderr: Voice,
    log: LogWriter<W>,
    limits: SpeechLimits,
    kept: u64,
    kept_severe: u64,
    left_out: u64,
}

#[derive(Debug)]
struct Voice {
    redactor: StreamRedactor,
    lines: LineAssembler,
    tail: Tail,
}

/// The last lines of a stream.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl<W: Write> Speech<W> {
    /// `log` receives the complete, compressed log.
    pub(crate) fn new(redactor: &Redactor, limits: SpeechLimits, log: W) -> io::Result<Self> {
        let voice = || Voice {
            redactor: redactor.stream(),
            lines: LineAssembler::new(limits.line_bytes_max),
            tail: Tail::default(),
        };
        let (stdout, stderr) = (voice(), voice());
        Ok(Self { stdout, stderr, log: LogWriter::new(log)?, limits, kept: 0, kept_severe: 0, left_out: 0 })
    }

    /// Takes a piece of a stream; returns the lines that ended in it.
    pub(crate) fn push(&mut self, time: Timestamp, source: Source, piece: &[u8]) -> io::Result<Vec<Said>> {
        let mut masked = Vec::with_capacity(piece.len());
        self.voice(source).redactor.push(piece, &mut masked);
        self.hear(time, source, &masked)
    }

    /// Ends both streams; returns the last words and closes the log.
    pub(crate) fn finish(mut self) -> io::Result<(Vec<Said>, LastWords, W)> {
        let mut said = Vec::new();
        for source in [Source::Stdout, Source::Stderr] {
            let mut masked = Vec::new();
            self.voice(source).redactor.finish(&mut masked);
            // The stream's own last time is kept with the open line where there is one.
            said.extend(self.hear(Timestamp::now(), source, &masked)?);
            if let Some(line) = self.voice(source).lines.finish() {
                said.extend(self.say(source, line));
            }
        }
        let words = LastWords {
            stdout: self.stdout.tail.join(),
            stderr: self.stderr.tail.join(),
            left_out: self.left_out,
        };
        Ok((said, words, self.log.finish()?))
    }

    fn hear(&mut self, time: Timestamp, source: Source, masked: &[u8]) -> io::Result<Vec<Said>> {
        self.log.push(time, source, masked)?;
        let mut lines = Vec::new();
        self.voice(source).lines.push(time, masked, |line| lines.push(line));
        Ok(lines.into_iter().filter_map(|line| self.say(source, line)).collect())
    }

    /// A blank line is in the log but is no event.
    fn say(&mut self, source: Source, line: Line) -> Option<Said> {
        let time = line.time;
        let message = line.into_text();
        if message.trim().is_empty() {
            return None;
        }
        self.voice(source).tail.push(&message);
        let level = match source {
            Source::Stdout | Source::Runner => Level::Info,
            Source::Stderr => Level::Error,
        };
        let is_kept = self.keep(level);
        Some(Said { time, level, source, message, is_kept })
    }

    fn keep(&mut self, level: Level) -> bool {
        if self.kept < self.limits.events_max {
            self.kept += 1;
            return true;
        }
        if level >= Level::Warning && self.kept_severe < self.limits.severe_events_max {
            self.kept_severe += 1;
            return true;
        }
        self.left_out += 1;
        false
    }

    fn voice(&mut self, source: Source) -> &mut Voice {
        match source {
            Source::Stdout | Source::Runner => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }
}

/// What a failure message may quote, and how much the catalog does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastWords {
    pub stdout: String,
    pub stderr: String,
    /// Messages that became no event because of the limits.
    pub left_out: u64,
}

impl Tail {
    fn push(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > TAIL_BYTES_MAX && self.lines.len() > 1 {
            if let Some(dropped) = self.lines.pop_front() {
                self.bytes -= dropped.len() + 1;
            }
        }
    }

    fn join(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(secrets: &[&str], limits: SpeechLimits) -> Speech<Vec<u8>> {
        Speech::new(&Redactor::new(secrets.iter().copied()), limits, Vec::new()).unwrap()
    }

    #[test]
    fn a_secret_split_over_two_writes_reaches_neither_event_nor_log() {
        let mut speech = speech(&["hunter22"], SpeechLimits::default());
        let time = Timestamp::UNIX_EPOCH;
        let mut said = speech.push(time, Source::Stdout, b"password: hunt").unwrap();
        said.extend(speech.push(time, Source::Stderr, b"between\n").unwrap());
        said.extend(speech.push(time, Source::Stdout, b"er22!\n").unwrap());
        let (rest, words, log) = speech.finish().unwrap();
        let messages: Vec<_> = said.iter().chain(&rest).map(|said| said.message.as_str()).collect();
        assert_eq!(messages, ["between", "password: [hidden]!"]);
        assert_eq!((words.stdout.as_str(), words.stderr.as_str()), ("password: [hidden]!", "between"));
        let entry = super::super::LogReader::new(log.as_slice()).unwrap().next_entry().unwrap();
        assert_eq!(entry.map(|entry| entry.text), Some(b"between".to_vec()));
    }

    #[test]
    fn a_flood_is_bounded_in_events_but_errors_are_still_kept_and_the_rest_is_counted() {
        let limits = SpeechLimits { line_bytes_max: 100, events_max: 2, severe_events_max: 1 };
        let mut speech = speech(&[], limits);
        let time = Timestamp::UNIX_EPOCH;
        let mut said = speech.push(time, Source::Stdout, b"1\n2\n3\n").unwrap();
        said.extend(speech.push(time, Source::Stderr, b"e1\ne2\n").unwrap());
        let kept: Vec<_> =
            said.iter().filter(|said| said.is_kept).map(|said| said.message.as_str()).collect();
        assert_eq!(kept, ["1", "2", "e1"]);
        assert_eq!(speech.finish().unwrap().1.left_out, 2);
    }
}
