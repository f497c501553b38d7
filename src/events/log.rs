//! The complete log of an attempt: one compressed object, line after line as it was said, already masked.
//!
//! Each line is `<RFC 3339 time> <out|err|glf><end><text>`, where `<end>` is `|` when the line ended with a newline and `\`
//! when the stream ended without one, or when the line goes on in the next entry because it is too long to hold.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use jiff::Timestamp;

use super::Source;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("the stored log cannot be read")]
    Read(#[source] io::Error),
    #[error("line {line} of the stored log is not a log line")]
    Malformed { line: u64 },
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub time: Timestamp,
    pub source: Source,
    pub text: Vec<u8>,
    /// False for a piece of a line: its beginning, or the last words of a stream.
    pub has_newline: bool,
}

/// Writes a log, compressing as it goes. Holds of each stream only the line that is being said.
pub(super) struct LogWriter<W: Write> {
    out: zstd::Encoder<'static, BufWriter<W>>,
    open: [Option<(Timestamp, Vec<u8>)>; 3],
    /// Lines longer than this are written in several entries, so that memory stays bounded.
    entry_bytes_max: usize,
}

impl<W: Write> std::fmt::Debug for LogWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter").finish_non_exhaustive()
    }
}

impl<W: Write> LogWriter<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let out = zstd::Encoder::new(BufWriter::new(out), 3)?;
        Ok(Self { out, open: [None, None, None], entry_bytes_max: 1 << 20 })
    }

    pub(super) fn push(&mut self, time: Timestamp, source: Source, piece: &[u8]) -> io::Result<()> {
        let slot = slot(source);
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let (begun, mut text) = self.open[slot].take().unwrap_or_else(|| (time, Vec::new()));
            let body = part.strip_suffix(b"\n").unwrap_or(part);
            text.extend_from_slice(body);
            if body.len() < part.len() {
                write_entry(&mut self.out, begun, source, b'|', &text)?;
            } else if text.len() >= self.entry_bytes_max {
                write_entry(&mut self.out, begun, source, b'\\', &text)?;
            } else {
                self.open[slot] = Some((begun, text));
            }
        }
        Ok(())
    }

    /// Writes what is still open and closes the object.
    pub(super) fn finish(mut self) -> io::Result<W> {
        for source in [Source::Stdout, Source::Stderr, Source::Gelf] {
            if let Some((time, text)) = self.open[slot(source)].take() {
                write_entry(&mut self.out, time, source, b'\\', &text)?;
            }
        }
        self.out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

fn slot(source: Source) -> usize {
    match source {
        Source::Stdout | Source::Runner => 0,
        Source::Stderr => 1,
        Source::Gelf => 2,
    }
}

fn write_entry(
    out: &mut impl Write,
    time: Timestamp,
    source: Source,
    end: u8,
    text: &[u8],
) -> io::Result<()> {
    let stream = match source {
        Source::Stdout | Source::Runner => "out",
        Source::Stderr => "err",
        Source::Gelf => "glf",
    };
    write!(out, "{time} {stream}")?;
    out.write_all(&[end])?;
    out.write_all(text)?;
    out.write_all(b"\n")
}

/// Reads a stored log, entry by entry.
pub(crate) struct LogReader<R: Read> {
    lines: BufReader<zstd::Decoder<'static, BufReader<R>>>,
    line: u64,
}

impl<R: Read> std::fmt::Debug for LogReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("line", &self.line).finish_non_exhaustive()
    }
}

impl<R: Read> LogReader<R> {
    pub(crate) fn new(stored: R) -> Result<Self, LogError> {
        let decoder = zstd::Decoder::new(stored).map_err(LogError::Read)?;
        Ok(Self { lines: BufReader::new(decoder), line: 0 })
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next_entry(&mut self) -> Result<Option<LogEntry>, LogError> {
        let mut raw = Vec::new();
        if self.lines.read_until(b'\n', &mut raw).map_err(LogError::Read)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        parse_entry(&raw).map(Some).ok_or(LogError::Malformed { line: self.line })
    }
}

fn parse_entry(raw: &[u8]) -> Option<LogEntry> {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    let space = memchr::memchr(b' ', raw)?;
    let time = std::str::from_utf8(&raw[..space]).ok()?.parse().ok()?;
    let rest = &raw[space + 1..];
    let source = match rest.get(..3)? {
        b"out" => Source::Stdout,
        b"err" => Source::Stderr,
        b"glf" => Source::Gelf,
        _ => return None,
    };
    let has_newline = match rest.get(3)? {
        b'|' => true,
        b'\\' => false,
        _ => return None,
    };
    Some(LogEntry { time, source, text: rest[4..].to_vec(), has_newline })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_read_back_as_it_was() {
        let mut writer = LogWriter::new(Vec::new()).unwrap();
        let time: Timestamp = "2026-01-02T03:04:05.5Z".parse().unwrap();
        writer.push(time, Source::Stdout, b"half ").unwrap();
        writer.push(time, Source::Stderr, b"oops \xff\n").unwrap();
        writer.push(time, Source::Stdout, b"a line\n\nlast words").unwrap();
        let stored = writer.finish().unwrap();
        let mut reader = LogReader::new(stored.as_slice()).unwrap();
        let mut read = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            assert_eq!(entry.time, time);
            read.push((entry.source, entry.text, entry.has_newline));
        }
        let expected = [
            (Source::Stderr, b"oops \xff".to_vec(), true),
            (Source::Stdout, b"half a line".to_vec(), true),
            (Source::Stdout, b"".to_vec(), true),
            (Source::Stdout, b"last words".to_vec(), false),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_line_without_an_end_is_written_in_entries_of_bounded_size() {
        let mut writer = LogWriter::new(Vec::new()).unwrap();
        let (piece, pieces) = (vec![b'x'; 100_000], 35);
        for _piece in 0..pieces {
            writer.push(Timestamp::UNIX_EPOCH, Source::Stdout, &piece).unwrap();
        }
        let stored = writer.finish().unwrap();
        let mut reader = LogReader::new(stored.as_slice()).unwrap();
        let entries: Vec<LogEntry> = std::iter::from_fn(|| reader.next_entry().unwrap()).collect();
        let sizes: Vec<usize> = entries.iter().map(|entry| entry.text.len()).collect();
        assert_eq!(sizes, [1_100_000, 1_100_000, 1_100_000, 200_000]);
        assert!(entries.iter().all(|entry| !entry.has_newline));
    }
}
