//! What the building of an image says becomes events of the job.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::news::{News, NewsItem};
use super::scribe::Scribe;
use crate::events::{Level, Said, Source};

/// How far a build may be ahead of the catalog. What does not fit is counted; the last lines are in the failure anyway.
const LINES_WAITING_MAX: usize = 4096;
const BATCH_MAX: usize = 500;

/// Hears lines. Never waits.
pub(super) type Say<'a> = &'a mut (dyn FnMut(String) + Send);

/// Does `work` and keeps what it says, at most `lines_max` lines of it.
pub(super) async fn telling<T>(
    scribe: &Scribe,
    news: &News,
    lines_max: u64,
    work: impl AsyncFnOnce(Say<'_>) -> T,
) -> T {
    let (sender, mut lines) = mpsc::channel(LINES_WAITING_MAX);
    let left_out = AtomicU64::new(0);
    let working = async {
        let mut kept = 0;
        let mut say = |line: String| {
            if kept < lines_max && sender.try_send(line).is_ok() {
                kept += 1;
            } else {
                left_out.fetch_add(1, Ordering::Relaxed);
            }
        };
        let done = work(&mut say).await;
        drop(sender);
        done
    };
    let keeping = async {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while lines.recv_many(&mut batch, BATCH_MAX).await > 0 {
            keep(scribe, news, &mut batch).await;
        }
    };
    let (done, ()) = tokio::join!(working, keeping);
    let left_out = left_out.into_inner();
    if left_out > 0 {
        let line = format!("{left_out} further lines of the build were not kept");
        scribe.say(Level::Warning, &line, news).await;
    }
    done
}

async fn keep(scribe: &Scribe, news: &News, lines: &mut Vec<String>) {
    let time = Timestamp::now();
    let said = |line: String| Said {
        time,
        level: Level::Info,
        source: Source::Runner,
        message: scribe.mask(&line),
        is_kept: true,
    };
    match scribe.write(lines.drain(..).map(said).collect()).await {
        Ok(events) => {
            for event in events {
                news.tell(NewsItem::Said(event)).await;
            }
        }
        // As with all that the runner says: trouble with the catalog is left to the next statement that matters.
        Err(error) => tracing::warn!(error = %error, "lines of a build were not kept"),
    }
}
