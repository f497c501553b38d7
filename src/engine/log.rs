//! The log of a container, as the engine's log file tells it.

use std::fmt;
use std::pin::Pin;

use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use bollard::query_parameters::LogsOptions;
use futures_util::stream::{Stream, StreamExt};
use jiff::Timestamp;

use super::{Engine, EngineError};

/// Frames handed over at once when they have already arrived; bounds memory at about 16 MiB.
const BATCH_FRAMES: usize = 1024;

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

type Batches = Pin<Box<dyn Stream<Item = Vec<Result<LogOutput, ClientError>>> + Send>>;

/// A log being read, in the order in which the engine wrote it.
pub(crate) struct LogFrames {
    engine: Engine,
    subject: String,
    batches: Batches,
    pending_error: Option<EngineError>,
}

impl fmt::Debug for LogFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFrames")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads the log from its beginning and on until the container has ended and its log is closed.
    pub(crate) fn follow_log(&self, id: &str) -> LogFrames {
        self.log_frames(id, true, "all")
    }

    /// Reads the log as it lies there now.
    pub(crate) fn read_log(&self, id: &str) -> LogFrames {
        self.log_frames(id, false, "all")
    }

    /// The last entry of the log file, if there is any.
    pub(crate) async fn last_log_frame(&self, id: &str) -> Result<Option<LogFrame>, EngineError> {
        let mut frames = self.log_frames(id, false, "1");
        let read = async {
            let mut last = None;
            while let Some(batch) = frames.next_batch().await {
                last = batch?.pop().or(last);
            }
            Ok(last)
        };
        let silent = || EngineError::Silent {
            action: "read",
            subject: format!("the end of the log of container {id}"),
            after: super::client::ASK_LIMIT,
        };
        tokio::time::timeout(super::client::ASK_LIMIT, read)
            .await
            .map_err(|_elapsed| silent())?
    }

    fn log_frames(&self, id: &str, follow: bool, tail: &str) -> LogFrames {
        let options = LogsOptions {
            follow,
            stdout: true,
            stderr: true,
            timestamps: true,
            tail: tail.into(),
            ..LogsOptions::default()
        };
        let subject = format!("the log of container {id}");
        let batches = Box::pin(self.docker.logs(id, Some(options)).ready_chunks(BATCH_FRAMES));
        LogFrames {
            engine: self.clone(),
            subject,
            batches,
            pending_error: None,
        }
    }
}

impl LogFrames {
    /// What has arrived, at least one frame; `None` at the end of the log. The caller sets the deadline, since
    /// silence is normal while a container works.
    pub(crate) async fn next_batch(&mut self) -> Option<Result<Vec<LogFrame>, EngineError>> {
        if let Some(error) = self.pending_error.take() {
            return Some(Err(error));
        }
        let outputs = self.batches.next().await?;
        let mut frames = Vec::with_capacity(outputs.len());
        for output in outputs {
            match output
                .map_err(|error| self.engine.sort("read", &self.subject, error))
                .and_then(|o| self.frame(o))
            {
                Ok(frame) => frames.push(frame),
                // Frames before the error count; the error is told next time.
                Err(error) if frames.is_empty() => return Some(Err(error)),
                Err(error) => {
                    self.pending_error = Some(error);
                    break;
                }
            }
        }
        Some(Ok(frames))
    }

    fn frame(&self, output: LogOutput) -> Result<LogFrame, EngineError> {
        let (stream, message) = match output {
            LogOutput::StdOut { message } => (LogStream::Stdout, message),
            LogOutput::StdErr { message } => (LogStream::Stderr, message),
            // The engine reports its own trouble with a log file in a frame of a third kind.
            LogOutput::Console { message } | LogOutput::StdIn { message } => {
                return Err(self.broken(String::from_utf8_lossy(&message).into_owned()));
            }
        };
        let (time, bytes) =
            split_timestamp(&message).ok_or_else(|| self.broken("a log entry has no time stamp".into()))?;
        Ok(LogFrame {
            stream,
            time,
            bytes: bytes.to_vec(),
        })
    }

    fn broken(&self, words: String) -> EngineError {
        EngineError::Broken {
            action: "read",
            subject: self.subject.clone(),
            source: words.into(),
        }
    }
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
        assert_eq!(
            split_timestamp(b"2026-11-22T20:19:39.000000001Z \n").unwrap().1,
            b"\n"
        );
        assert_eq!(split_timestamp(b"no time here\n"), None);
    }
}
