//! From the engine's log to the spool, every record once, in order.
//!
//! Reading again is always possible, because the engine's file is never rotated: records that were spooled before
//! are skipped by count.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{SpoolError, SpoolRecord, SpoolWriter, Stream};
use crate::engine::{Engine, EngineError, LogFile, LogFrame, LogFrames};

/// After the container has ended the engine only has to send what it has; a longer pause means that it does not.
const DRAIN_PAUSE_LIMIT: Duration = Duration::from_secs(10);
/// The engine closes the log a little before it tells of the exit, so an end of the log without news of the exit is
/// normal for this long and a broken stream afterwards.
const EXIT_NEWS_LIMIT: Duration = Duration::from_secs(3);
/// Short enough to feel live, long enough to cost nothing.
const TAIL_PAUSE: Duration = Duration::from_millis(20);
/// The engine's file may be so many times as large as the log: an entry of short lines is mostly the engine's own words.
const FILE_SHARE: u64 = 8;
/// The one line that the judge may ask for is short.
const ONLY_LINE_BYTES_MAX: usize = 4096;

/// What became of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogEnd {
    /// The spool holds everything that the engine's file holds.
    pub(super) complete: bool,
    /// The whole log, where it is one short line on stderr.
    pub(super) only_line: Option<String>,
    /// Bytes found when the limit was passed; nothing was spooled after that.
    pub(super) excess: Option<u64>,
}

/// Copies the log of one container.
#[derive(Debug)]
pub(super) struct Follower {
    engine: Engine,
    id: String,
    spool: SpoolWriter,
    bytes_max: u64,
    /// Of the engine's file, as far as it can be seen.
    file_bytes: watch::Sender<u64>,
    records: u64,
    first: Option<SpoolRecord>,
    last: Option<SpoolRecord>,
}

enum Copied {
    ToTheEnd,
    Broken,
    OverLimit,
}

impl Follower {
    pub(super) fn new(engine: Engine, id: String, spool: SpoolWriter, bytes_max: u64) -> Self {
        Self {
            engine,
            id,
            spool,
            bytes_max,
            file_bytes: watch::Sender::new(0),
            records: 0,
            first: None,
            last: None,
        }
    }

    /// Follows how many bytes are spooled.
    pub(super) fn spooled(&self) -> watch::Receiver<u64> {
        self.spool.size()
    }

    /// Follows how many bytes the engine's own file has.
    pub(super) fn filed(&self) -> watch::Receiver<u64> {
        self.file_bytes.subscribe()
    }

    /// Copies until the container has ended (which the token tells) and its log too. Finishes the spool.
    pub(super) async fn run(mut self, ended: CancellationToken) -> Result<LogEnd, SpoolError> {
        let read = match self.engine.log_file(&self.id).await {
            Some(file) => self.tail(file, &ended).await?,
            None => Copied::Broken,
        };
        let copied = match read {
            Copied::ToTheEnd | Copied::OverLimit => read,
            Copied::Broken => self.follow(&ended).await?,
        };
        if let Copied::OverLimit = copied {
            return Ok(self.finish(false));
        }
        let mut complete = self.has_everything().await.unwrap_or(false);
        if !complete {
            // The stream ended early. What lies in the file is read once more, past what we have.
            let frames = self.engine.read_log(&self.id).await;
            self.copy(frames, &ended).await?;
            complete = self.has_everything().await.unwrap_or(false);
        }
        Ok(self.finish(complete))
    }

    /// Reads the engine's own file as it grows.
    async fn tail(&mut self, mut file: LogFile, ended: &CancellationToken) -> Result<Copied, SpoolError> {
        loop {
            // The engine tells of the exit after it has written the log: what is there then is everything.
            let is_last = ended.is_cancelled();
            loop {
                match file.next_batch().await {
                    Ok(batch) if batch.is_empty() => break,
                    Ok(batch) => self.keep(batch.into_iter().map(record).collect()).await?,
                    Err(error) => {
                        warn!(container.id = %self.id, %error, "the engine's log file is odd: asking the engine");
                        return Ok(Copied::Broken);
                    }
                }
                self.file_bytes.send_replace(file.length().await.unwrap_or_default());
                if self.excess().is_some() {
                    return Ok(Copied::OverLimit);
                }
            }
            if is_last {
                return Ok(Copied::ToTheEnd);
            }
            // A file tells nobody that it has grown. The end of the wait does not matter, only that it ends.
            drop(timeout(TAIL_PAUSE, ended.cancelled()).await);
        }
    }

    /// Follows the log through the engine.
    async fn follow(&mut self, ended: &CancellationToken) -> Result<Copied, SpoolError> {
        loop {
            let frames = self.engine.follow_log(&self.id).await;
            if let Copied::OverLimit = self.copy(frames, ended).await? {
                return Ok(Copied::OverLimit);
            }
            if timeout(EXIT_NEWS_LIMIT, ended.cancelled()).await.is_ok() {
                return Ok(Copied::ToTheEnd);
            }
        }
    }

    /// What the log or the engine's file of it has, where that is too much. The file is looked at ahead of what was read.
    fn excess(&self) -> Option<u64> {
        let file_bytes = *self.file_bytes.borrow();
        // All that the component says has one limit: what it sends to another door counts here too.
        let said = Some(self.spool.said()).filter(|said| *said > self.bytes_max);
        said.or((file_bytes > self.bytes_max.saturating_mul(FILE_SHARE)).then_some(file_bytes))
    }

    fn finish(self, complete: bool) -> LogEnd {
        let excess = self.excess();
        let only = self.first.filter(|record| self.records == 1 && record.stream == Stream::Stderr);
        let short = only.filter(|record| record.bytes.len() <= ONLY_LINE_BYTES_MAX);
        LogEnd {
            complete,
            only_line: short.map(|record| String::from_utf8_lossy(&record.bytes).into_owned()),
            excess,
        }
    }

    /// Compares the end of the engine's file with ours.
    async fn has_everything(&self) -> Result<bool, EngineError> {
        let theirs = self.engine.last_log_frame(&self.id).await?.map(record);
        Ok(theirs == self.last)
    }

    async fn copy(
        &mut self,
        frames: Result<LogFrames, EngineError>,
        ended: &CancellationToken,
    ) -> Result<Copied, SpoolError> {
        let mut frames = match frames {
            Ok(frames) => frames,
            Err(error) => return Ok(self.broken(&error)),
        };
        let mut skip = self.records;
        loop {
            let stalled = async {
                ended.cancelled().await;
                sleep(DRAIN_PAUSE_LIMIT).await;
            };
            let batch = tokio::select! {
                batch = frames.next_batch() => batch,
                () = stalled => return Ok(Copied::Broken),
            };
            match batch {
                None => return Ok(Copied::ToTheEnd),
                Some(Ok(batch)) => {
                    let known = usize::try_from(skip).unwrap_or(usize::MAX).min(batch.len());
                    skip -= known as u64;
                    self.keep(batch.into_iter().skip(known).map(record).collect()).await?;
                }
                Some(Err(error)) => return Ok(self.broken(&error)),
            }
            if self.spool.said() > self.bytes_max {
                return Ok(Copied::OverLimit);
            }
        }
    }

    fn broken(&self, error: &EngineError) -> Copied {
        warn!(container.id = %self.id, %error, "the log broke off and is read again");
        Copied::Broken
    }

    async fn keep(&mut self, records: Vec<SpoolRecord>) -> Result<(), SpoolError> {
        let Some(last) = records.last() else { return Ok(()) };
        self.spool.append(&records).await?;
        self.records += records.len() as u64;
        self.last = Some(last.clone());
        if self.first.is_none() {
            self.first = records.into_iter().next();
        }
        Ok(())
    }
}

fn record(frame: LogFrame) -> SpoolRecord {
    SpoolRecord { stream: frame.stream.into(), time: frame.time, bytes: frame.bytes }
}
