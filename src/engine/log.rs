//! The log of a container, as the engine's log file tells it.

use jiff::Timestamp;

use super::client::ASK_LIMIT;
use super::plain::PlainAnswer;
use super::{Engine, EngineError};

/// Room for one read: several times what the engine writes at once.
const READ_BYTES: usize = 256 << 10;
const HEADER_BYTES: usize = 8;

/// Where the container said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogStream {
    Stdout,
    Stderr,
}

/// One entry of the engine's log file: a line with its end, or a piece of up to 16 KiB of a longer line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFrame {
    pub stream: LogStream,
    pub time: Timestamp,
    pub bytes: Vec<u8>,
}

/// A log being read, in the order in which the engine wrote it.
#[derive(Debug)]
pub(crate) struct LogFrames {
    answer: PlainAnswer,
}

impl Engine {
    /// Reads the log from its beginning and on until the container has ended and its log is closed.
    pub(crate) async fn follow_log(&self, id: &str) -> Result<LogFrames, EngineError> {
        self.log_frames(id, "follow=1&tail=all").await
    }

    /// Reads the log as it lies there now.
    pub(crate) async fn read_log(&self, id: &str) -> Result<LogFrames, EngineError> {
        self.log_frames(id, "tail=all").await
    }

    /// The last entry of the log file, if there is any.
    pub(crate) async fn last_log_frame(&self, id: &str) -> Result<Option<LogFrame>, EngineError> {
        let read = async {
            let mut frames = self.log_frames(id, "tail=1").await?;
            let mut last = None;
            while let Some(batch) = frames.next_batch().await {
                last = batch?.pop().or(last);
            }
            Ok(last)
        };
        let subject = format!("the end of the log of container {id}");
        let silent = EngineError::Silent { action: "read", subject, after: ASK_LIMIT };
        tokio::time::timeout(ASK_LIMIT, read).await.unwrap_or(Err(silent))
    }

    async fn log_frames(&self, id: &str, which: &str) -> Result<LogFrames, EngineError> {
        let target = format!("/containers/{id}/logs?stdout=1&stderr=1&timestamps=1&{which}");
        let answer = self.speak("read", format!("the log of container {id}"), "GET", &target).await?;
        Ok(LogFrames { answer })
    }
}

impl LogFrames {
    /// What has arrived, at least one frame; `None` where the engine stops sending, which may be early, since an end
    /// is all that a broken line shows. The caller sets the deadline: silence is normal while a container works. May
    /// be dropped and called again.
    pub(crate) async fn next_batch(&mut self) -> Option<Result<Vec<LogFrame>, EngineError>> {
        loop {
            match self.take_frames() {
                Ok(frames) if frames.is_empty() => {}
                taken => return Some(taken),
            }
            self.answer.body.reserve(READ_BYTES);
            match self.answer.more().await {
                Ok(true) => {}
                Ok(false) if self.answer.body.is_empty() => return None,
                Ok(false) => {
                    self.answer.body.clear();
                    return Some(Err(self.answer.broken("the log ends within an entry")));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Takes the whole frames out of what has arrived. A frame that cannot be read is told when it comes first.
    fn take_frames(&mut self) -> Result<Vec<LogFrame>, EngineError> {
        let mut frames = Vec::new();
        let mut rest = self.answer.body.as_slice();
        let mut odd = None;
        while let Some((kind, message, after)) = split_frame(rest) {
            match frame(kind, message) {
                Ok(frame) => frames.push(frame),
                Err(words) => {
                    odd = Some(words);
                    break;
                }
            }
            rest = after;
        }
        let taken = self.answer.body.len() - rest.len();
        self.answer.body.drain(..taken);
        match odd {
            Some(words) if frames.is_empty() => Err(self.answer.broken(words)),
            Some(_) | None => Ok(frames),
        }
    }
}

/// Kind, message and what follows, where a whole frame has arrived: kind (1 byte), three of nothing, length (4,
/// big-endian), message.
fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let [kind, _, _, _, length @ ..] = header else {
        return None;
    };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (message, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((*kind, message, after))
}

fn frame(kind: u8, message: &[u8]) -> Result<LogFrame, String> {
    let stream = match kind {
        1 => LogStream::Stdout,
        2 => LogStream::Stderr,
        // The engine reports its own trouble with a log file in a frame of a third kind.
        _ => return Err(String::from_utf8_lossy(message).into_owned()),
    };
    let (time, bytes) = split_timestamp(message).ok_or("a log entry has no time stamp")?;
    Ok(LogFrame { stream, time, bytes: bytes.to_vec() })
}

/// Takes the engine's RFC 3339 time and one space off the front.
fn split_timestamp(message: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = memchr::memchr(b' ', message.get(..40).unwrap_or(message))?;
    let (stamp, rest) = message.split_at_checked(space)?;
    let time = std::str::from_utf8(stamp).ok()?.parse().ok()?;
    Some((time, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stamp_is_taken_off_and_the_bytes_are_kept() {
        let (time, rest) = split_timestamp(b"2026-11-22T20:19:39.000000001Z  \xffa line\r\n").unwrap();
        assert_eq!(time, "2026-11-22T20:19:39.000000001Z".parse().unwrap());
        assert_eq!(rest, b" \xffa line\r\n");
    }

    #[test]
    fn an_entry_of_an_empty_line_has_no_bytes_but_its_end() {
        assert_eq!(split_timestamp(b"2026-11-22T20:19:39.000000001Z \n").unwrap().1, b"\n");
        assert_eq!(split_timestamp(b"no time here\n"), None);
    }

    #[test]
    fn a_frame_is_taken_only_when_it_has_arrived_whole() {
        let bytes = b"\x02\0\0\0\0\0\0\x03abcd";
        assert_eq!(split_frame(bytes), Some((2, b"abc".as_slice(), b"d".as_slice())));
        assert_eq!(split_frame(&bytes[..10]), None);
        assert_eq!(split_frame(&bytes[..5]), None);
    }

    #[test]
    fn the_engines_own_trouble_is_no_line_of_the_component() {
        assert_eq!(frame(3, b"error from daemon"), Err("error from daemon".into()));
    }
}
