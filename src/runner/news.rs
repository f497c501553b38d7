//! What a running job tells whoever watches. The channel is bounded: a slow watcher slows the telling,
//! never the container, whose output is spooled to disk first.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::engine::PullProgress;
use crate::events::Event;
use crate::job::Phase;
use crate::mapping::ProgressSink;

/// How far the telling may run ahead of the watcher.
const NEWS_MAX: usize = 1024;

/// One piece of news.
#[derive(Debug, Clone)]
pub(crate) enum NewsItem {
    /// A phase began.
    Phase(Phase),
    /// Bytes moved so far in the running phase.
    Moved {
        bytes: u64,
        rows: u64,
    },
    Pulling(PullProgress),
    /// Something was said, by the component or by the runner.
    Said(Event),
}

/// The teller's end.
#[derive(Debug, Clone)]
pub(crate) struct News {
    channel: mpsc::Sender<NewsItem>,
}

pub(crate) fn channel() -> (News, mpsc::Receiver<NewsItem>) {
    let (sender, receiver) = mpsc::channel(NEWS_MAX);
    (News { channel: sender }, receiver)
}

impl News {
    /// Tells something that must arrive. A watcher that left is fine: the catalog has it all.
    pub(super) async fn tell(&self, item: NewsItem) {
        drop(self.channel.send(item).await);
    }

    /// A sink that tells bytes and rows moved so far.
    pub(super) fn progress(&self) -> ProgressSink {
        let news = self.clone();
        let (bytes, rows) = (AtomicU64::new(0), AtomicU64::new(0));
        ProgressSink::new(move |step| {
            let bytes = bytes.fetch_add(step.bytes, Ordering::Relaxed) + step.bytes;
            let rows = rows.fetch_add(step.rows, Ordering::Relaxed) + step.rows;
            news.hint(NewsItem::Moved { bytes, rows });
        })
    }

    /// Tells something that the next piece of news of its kind replaces.
    pub(super) fn hint(&self, item: NewsItem) {
        drop(self.channel.try_send(item));
    }
}
