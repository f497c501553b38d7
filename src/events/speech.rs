//! The way from a container's bytes to events and the complete log: mask, join to messages, cut, count.

use std::io::{self, Write};

use jiff::Timestamp;

use super::gelf;
use super::log::LogWriter;
use super::voice::{Message, Tail, Voice};
use super::{Level, Redactor, Source, VerbosityMap};

/// How much of the speech becomes events. The streams share it, GELF has as much for itself: how the two mix differs each
/// time they are read, and what is kept must not.
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

/// A message as it will be an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub time: Timestamp,
    pub level: Level,
    pub source: Source,
    pub message: String,
    /// What else a structured record held: a JSON object.
    pub fields: Option<String>,
    /// False: beyond the limits; shown live, not kept in the catalog.
    pub is_kept: bool,
}

/// Listens to one container: everything said, in order per stream.
#[derive(Debug)]
pub(crate) struct Speech<W: Write> {
    stdout: Voice,
    stderr: Voice,
    redactor: Redactor,
    verbosity: VerbosityMap,
    log: LogWriter<W>,
    streams: Budget,
    gelf: Budget,
    /// Of the latest record at error or above.
    last_error: String,
}

/// What may still become events.
#[derive(Debug)]
struct Budget {
    limits: SpeechLimits,
    kept: u64,
    kept_severe: u64,
    left_out: u64,
}

impl<W: Write> Speech<W> {
    /// `log` receives the complete, compressed log.
    pub(crate) fn new(
        redactor: &Redactor,
        limits: SpeechLimits,
        verbosity: VerbosityMap,
        log: W,
    ) -> io::Result<Self> {
        let voice = |source| Voice::new(source, redactor, limits.line_bytes_max);
        let budget = || Budget { limits, kept: 0, kept_severe: 0, left_out: 0 };
        Ok(Self {
            stdout: voice(Source::Stdout),
            stderr: voice(Source::Stderr),
            redactor: redactor.clone(),
            verbosity,
            log: LogWriter::new(log)?,
            streams: budget(),
            gelf: budget(),
            last_error: String::new(),
        })
    }

    /// Takes a piece of a stream, or a whole GELF message; returns what was complete with it.
    pub(crate) fn push(&mut self, time: Timestamp, source: Source, piece: &[u8]) -> io::Result<Vec<Said>> {
        if source == Source::Gelf {
            return self.push_gelf(time, piece);
        }
        let mut masked = Vec::with_capacity(piece.len());
        self.voice(source).mask(piece, &mut masked);
        self.log.push(time, source, &masked)?;
        let messages = self.hear(source, |voice, verbosity, heard| {
            voice.hear(time, &masked, verbosity, |message| heard.push(message));
        });
        Ok(self.say(source, messages))
    }

    /// Ends the streams; returns the last words and closes the log.
    pub(crate) fn finish(mut self) -> io::Result<(Vec<Said>, LastWords, W)> {
        let mut said = Vec::new();
        for source in [Source::Stdout, Source::Stderr] {
            let mut masked = Vec::new();
            self.voice(source).end_mask(&mut masked);
            // The stream's own last time is kept with the open line where there is one.
            let now = Timestamp::now();
            self.log.push(now, source, &masked)?;
            let messages = self.hear(source, |voice, verbosity, heard| {
                voice.hear(now, &masked, verbosity, |message| heard.push(message));
                voice.finish(verbosity, |message| heard.push(message));
            });
            said.extend(self.say(source, messages));
        }
        let words = LastWords {
            stdout: self.stdout.tail.join(),
            stderr: self.stderr.tail.join(),
            last_error: self.last_error,
            left_out: self.streams.left_out + self.gelf.left_out,
        };
        Ok((said, words, self.log.finish()?))
    }

    fn push_gelf(&mut self, time: Timestamp, payload: &[u8]) -> io::Result<Vec<Said>> {
        let mut said = Vec::new();
        for heard in gelf::read(payload, &self.redactor) {
            self.log.push(time, Source::Gelf, heard.line.as_bytes())?;
            self.log.push(time, Source::Gelf, b"\n")?;
            let line_bytes_max = self.gelf.limits.line_bytes_max;
            let message = heard.into_message(time, &self.verbosity, line_bytes_max);
            said.extend(self.say(Source::Gelf, message.into_iter().collect()));
        }
        Ok(said)
    }

    fn hear(
        &mut self,
        source: Source,
        listen: impl FnOnce(&mut Voice, &VerbosityMap, &mut Vec<Message>),
    ) -> Vec<Message> {
        let mut heard = Vec::new();
        let voice = if source == Source::Stderr { &mut self.stderr } else { &mut self.stdout };
        listen(voice, &self.verbosity, &mut heard);
        heard
    }

    fn say(&mut self, source: Source, messages: Vec<Message>) -> Vec<Said> {
        let mut said = Vec::with_capacity(messages.len());
        for Message { time, level, text, fields, is_record } in messages {
            if is_record && level >= Level::Error {
                self.last_error = Tail::of(&text);
            }
            let budget = if source == Source::Gelf { &mut self.gelf } else { &mut self.streams };
            let is_kept = budget.keep(level);
            said.push(Said { time, level, source, message: text, fields, is_kept });
        }
        said
    }

    fn voice(&mut self, source: Source) -> &mut Voice {
        match source {
            Source::Stdout | Source::Gelf | Source::Runner => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }
}

impl Budget {
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
}

/// What a failure message may quote, and how much the catalog does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastWords {
    pub stdout: String,
    pub stderr: String,
    /// Of the latest structured record at error or above.
    pub last_error: String,
    /// Messages that became no event because of the limits.
    pub left_out: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(secrets: &[&str], limits: SpeechLimits) -> Speech<Vec<u8>> {
        Speech::new(&Redactor::new(secrets.iter().copied()), limits, VerbosityMap::default(), Vec::new())
            .unwrap()
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
