//! Writes a job's events to the catalog, in one order.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::news::{News, NewsItem};
use crate::catalog::{Catalog, CatalogError};
use crate::events::{Event, Level, Redactor, Said, Source};
use crate::job::JobId;

/// Numbers the events of one job and keeps them.
#[derive(Debug)]
pub(super) struct Scribe {
    catalog: Catalog,
    job: JobId,
    next: AtomicU64,
    redactor: Redactor,
}

impl Scribe {
    /// Goes on where an earlier attempt stopped.
    pub(super) async fn begin(
        catalog: Catalog,
        job: JobId,
        redactor: Redactor,
    ) -> Result<Self, CatalogError> {
        let next = catalog.next_event(job).await?;
        Ok(Self { catalog, job, next: AtomicU64::new(next), redactor })
    }

    /// The number that the next event will have.
    pub(super) fn next_event(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub(super) fn mask(&self, text: &str) -> String {
        self.redactor.mask(text)
    }

    /// Keeps what is to be kept; returns everything as events, in order.
    pub(super) async fn write(&self, said: Vec<Said>) -> Result<Vec<Event>, CatalogError> {
        let (mut events, mut kept) = (Vec::with_capacity(said.len()), Vec::new());
        for said in said {
            let sequence = self.next.fetch_add(1, Ordering::Relaxed);
            let event = Event {
                sequence,
                time: said.time,
                level: said.level,
                source: said.source,
                message: said.message,
                fields: said.fields,
            };
            if said.is_kept {
                kept.push(event.clone());
            }
            events.push(event);
        }
        if !kept.is_empty() {
            self.catalog.add_events(self.job, &kept).await?;
        }
        Ok(events)
    }

    /// Says something of the runner's own, to the catalog and to whoever watches. Losing it loses no data,
    /// so trouble with the catalog is left to the next statement that matters.
    pub(super) async fn say(&self, level: Level, message: &str, news: &News) {
        for event in self.keep(level, message).await {
            news.tell(NewsItem::Said(event)).await;
        }
    }

    /// As `say`, to the catalog alone; returns the events that were kept.
    pub(super) async fn keep(&self, level: Level, message: &str) -> Vec<Event> {
        let message = self.redactor.mask(message);
        let (time, source) = (Timestamp::now(), Source::Runner);
        let said = Said { time, level, source, message, fields: None, is_kept: true };
        self.write(vec![said]).await.unwrap_or_else(|error| {
            tracing::warn!(job.id = %self.job, error = %error, "an event was not kept");
            Vec::new()
        })
    }
}
