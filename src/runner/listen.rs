//! Listens to one container: spool → speech → events, live, and the complete log.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::news::{News, NewsItem};
use super::scribe::Scribe;
use crate::catalog::CatalogError;
use crate::events::{LastWords, Said, Source, Speech, SpeechLimits, VerbosityMap};
use crate::failure::{self, Stop};
use crate::runtime::{SpoolError, SpoolReader, SpoolRecord, Stream};

/// Events are written to the catalog when this many wait or this time has gone by.
const BATCH_MAX: usize = 500;
const BATCH_AGE_MAX: Duration = Duration::from_millis(250);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot write the log")]
    Log(#[source] std::io::Error),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl From<ListenError> for Stop {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Log(error) => failure::of_log(&error),
            ListenError::Spool(error) => error.into(),
            ListenError::Catalog(error) => error.into(),
        }
    }
}

/// What is made of the speech of one container.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) limits: SpeechLimits,
    pub(super) verbosity: VerbosityMap,
    pub(super) known: Known,
}

/// Reads the spool to its end. The complete log is appended to `log_path`: the units of a job share one log.
pub(super) async fn listen(
    mut spool: SpoolReader,
    ear: Ear,
    log_path: &Path,
    scribe: &Scribe,
    news: &News,
) -> Result<LastWords, ListenError> {
    let opened = tokio::task::block_in_place(|| File::options().create(true).append(true).open(log_path));
    let log = opened.map_err(ListenError::Log)?;
    let Ear { limits, verbosity, mut known } = ear;
    let mut speech = Speech::new(scribe.redactor(), limits, verbosity, log).map_err(ListenError::Log)?;
    let mut waiting: Vec<Said> = Vec::new();
    let mut flush_at = Instant::now() + BATCH_AGE_MAX;
    loop {
        // One future for the whole wait: records that are half read must not be dropped.
        let mut next = std::pin::pin!(spool.next_batch());
        let records = loop {
            let wake = tokio::select! {
                records = &mut next => Wake::Heard(records),
                () = sleep_until(flush_at), if !waiting.is_empty() => Wake::Due,
            };
            match wake {
                Wake::Heard(records) => break records?,
                Wake::Due => flush_at = tell(&mut waiting, scribe, news).await?,
            }
        };
        if records.is_empty() {
            break;
        }
        if waiting.is_empty() {
            flush_at = Instant::now() + BATCH_AGE_MAX;
        }
        waiting.extend(known.pass_over(hear(&mut speech, &records)?));
        if waiting.len() >= BATCH_MAX {
            flush_at = tell(&mut waiting, scribe, news).await?;
        }
    }
    tell(&mut waiting, scribe, news).await?;
    let (said, words, _log) = tokio::task::block_in_place(|| speech.finish()).map_err(ListenError::Log)?;
    let mut said = known.pass_over(said);
    tell(&mut said, scribe, news).await?;
    Ok(words)
}

fn hear(speech: &mut Speech<File>, records: &[SpoolRecord]) -> Result<Vec<Said>, ListenError> {
    // Masking and compressing is CPU work; the spool keeps what comes meanwhile.
    let heard = tokio::task::block_in_place(|| {
        let mut said = Vec::new();
        for record in records {
            let source = match record.stream {
                Stream::Stdout => Source::Stdout,
                Stream::Stderr => Source::Stderr,
                Stream::Gelf => Source::Gelf,
            };
            said.extend(speech.push(record.time, source, &record.bytes)?);
        }
        Ok(said)
    });
    heard.map_err(ListenError::Log)
}

/// Keeps and tells what waits; returns when the next batch is due at the latest.
async fn tell(said: &mut Vec<Said>, scribe: &Scribe, news: &News) -> Result<Instant, CatalogError> {
    for event in scribe.write(std::mem::take(said)).await? {
        news.tell(NewsItem::Said(event)).await;
    }
    Ok(Instant::now() + BATCH_AGE_MAX)
}

/// How many events of each source an earlier listener of the same container has kept. It heard the same from each, and so made
/// the same of it: those events are not kept again. Between sources the order may be another.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<(Source, u64)>);

impl Known {
    pub(super) fn new(events: Vec<(Source, u64)>) -> Self {
        Self(events)
    }

    fn pass_over(&mut self, said: Vec<Said>) -> Vec<Said> {
        let mut new = said;
        new.retain(|said| {
            let known = self.0.iter_mut().find(|(source, events)| *source == said.source && *events > 0);
            let is_new = known.is_none();
            if let (Some((_source, events)), true) = (known, said.is_kept) {
                *events -= 1;
            }
            is_new
        });
        new
    }
}

/// What ends a wait.
enum Wake {
    Heard(Result<Vec<SpoolRecord>, SpoolError>),
    Due,
}
