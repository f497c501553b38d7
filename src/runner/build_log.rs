//! What the building of an image says becomes events of the job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::news::{News, NewsItem};
use super::scribe::Scribe;
use crate::events::{Level, Said, Source};

/// How far a build may be ahead of the catalog. What does not fit is counted; the last lines are in the failure anyway.
const LINES_WAITING_MAX: usize = 4096;
const BATCH_MAX: usize = 500;

/// The end that hears lines. Never waits.
#[derive(Debug)]
pub(super) struct Ear {
    lines: mpsc::Sender<String>,
    kept: u64,
    lines_max: u64,
    left_out: Arc<AtomicU64>,
}

/// The end that keeps them.
#[derive(Debug)]
pub(super) struct Pen {
    lines: mpsc::Receiver<String>,
    left_out: Arc<AtomicU64>,
}

/// Both ends; at most `lines_max` lines are kept.
pub(super) fn channel(lines_max: u64) -> (Ear, Pen) {
    let (sender, receiver) = mpsc::channel(LINES_WAITING_MAX);
    let left_out = Arc::new(AtomicU64::new(0));
    let ear = Ear { lines: sender, kept: 0, lines_max, left_out: Arc::clone(&left_out) };
    (ear, Pen { lines: receiver, left_out })
}

impl Ear {
    pub(super) fn hear(&mut self, line: String) {
        if self.kept < self.lines_max && self.lines.try_send(line).is_ok() {
            self.kept += 1;
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Pen {
    /// Keeps what is heard until the ear is gone.
    pub(super) async fn keep(mut self, scribe: &Scribe, news: &News) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while self.lines.recv_many(&mut batch, BATCH_MAX).await > 0 {
            keep(scribe, news, &mut batch).await;
        }
        let left_out = self.left_out.load(Ordering::Relaxed);
        if left_out > 0 {
            let line = format!("{left_out} further lines of the build were not kept");
            scribe.say(Level::Warning, &line, news).await;
        }
    }
}

async fn keep(scribe: &Scribe, news: &News, lines: &mut Vec<String>) {
    let time = Timestamp::now();
    let said = |line: String| Said {
        time,
        level: Level::Info,
        source: Source::Runner,
        message: scribe.mask(&line),
        fields: None,
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
