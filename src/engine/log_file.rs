//! The log of a container as the `json-file` driver writes it, read from its file where the engine runs on this machine:
//! the engine itself hands a log over several times slower than it writes it. Never says whether a log is complete.

use std::borrow::Cow;
use std::io;

use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{Engine, LogFrame, LogStream};

/// Room for one read.
const READ_BYTES: usize = 256 << 10;

/// An entry holds at most 16 KiB of text, each byte of it written as six at worst.
const ENTRY_BYTES_MAX: usize = 1 << 20;

/// A log file being read while it grows.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    /// Read, but not yet ended by a newline.
    pending: Vec<u8>,
}

/// One line of the file.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl Engine {
    /// The log file of a container that was started, where it is ours to read. `None`: ask the engine for the log.
    pub(crate) async fn log_file(&self, id: &str) -> Option<LogFile> {
        if !self.address.is_local() {
            return None;
        }
        let inspected = self.inspect_container(id).await.ok()?;
        let path = inspected.document["LogPath"].as_str().filter(|path| path.contains(id))?;
        // Closed to us, or the path of another machine behind a socket that somebody forwards: both are normal.
        let file = File::open(path).await.ok()?;
        Some(LogFile { file, pending: Vec::new() })
    }
}

impl LogFile {
    /// Bytes of the file, read or not. A component decides how many: each line costs an entry, however short it is.
    pub(crate) async fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata().await?.len())
    }

    /// The next whole entries; none when the file holds no more at this moment.
    pub(crate) async fn next_batch(&mut self) -> io::Result<Vec<LogFrame>> {
        loop {
            self.pending.reserve(READ_BYTES);
            let count = self.file.read_buf(&mut self.pending).await?;
            let Some(end) = memchr::memrchr(b'\n', &self.pending) else {
                if self.pending.len() > ENTRY_BYTES_MAX {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "an entry has no end"));
                }
                if count == 0 {
                    return Ok(Vec::new());
                }
                continue;
            };
            let frames = entries(self.pending.get(..end).unwrap_or_default())?;
            self.pending.drain(..=end);
            return Ok(frames);
        }
    }
}

fn entries(lines: &[u8]) -> io::Result<Vec<LogFrame>> {
    lines.split(|byte| *byte == b'\n').map(frame).collect()
}

fn frame(line: &[u8]) -> io::Result<LogFrame> {
    let odd = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    // Also where the line only ends too early: it is a whole line of the file.
    let entry: Entry<'_> =
        serde_json::from_slice(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let stream = match &*entry.stream {
        "stdout" => LogStream::Stdout,
        "stderr" => LogStream::Stderr,
        _ => return Err(odd("an entry is of no stream that we know")),
    };
    let time = entry.time.parse().map_err(|_unreadable| odd("an entry has no time stamp"))?;
    Ok(LogFrame { stream, time, bytes: entry.log.into_owned().into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_as_the_engine_would() {
        let line = br#"{"log":"a \"b\" \u003c\n","stream":"stderr","time":"2026-11-22T20:19:39.000000001Z"}"#;
        let told = frame(line).unwrap();
        assert_eq!((told.stream, told.bytes.as_slice()), (LogStream::Stderr, b"a \"b\" <\n".as_slice()));
        assert_eq!(told.time, "2026-11-22T20:19:39.000000001Z".parse().unwrap());
    }

    #[test]
    fn what_is_no_entry_is_an_error_and_no_line() {
        for line in [&b"oops"[..], br#"{"log":"x","stream":"stdin","time":"2026-11-22T20:19:39Z"}"#, b""] {
            assert_eq!(frame(line).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[tokio::test]
    async fn half_an_entry_waits_for_its_other_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let line = "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T20:19:39Z\"}\n";
        let (first, second) = line.split_at(20);
        std::fs::write(&path, format!("{line}{first}")).unwrap();
        let mut file = LogFile { file: File::open(&path).await.unwrap(), pending: Vec::new() };
        assert_eq!(file.next_batch().await.unwrap().len(), 1);
        assert_eq!(file.next_batch().await.unwrap().len(), 0);
        std::fs::write(&path, format!("{line}{first}{second}")).unwrap();
        assert_eq!(file.next_batch().await.unwrap().len(), 1);
        assert_eq!(file.next_batch().await.unwrap().len(), 0);
    }
}
