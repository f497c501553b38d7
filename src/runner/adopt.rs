//! Goes on with a container whose worker died: it runs or has run, its log and its data folder are there.
//!
//! What only the dead worker knew lies beside the data folder as a note, written before the container was started.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::listen::Known;
use super::record::Record;
use super::unit::{Beginning, Staged, UnitRun};
use super::{Halt, News, Order, RunError, Runner, Settled, greeted, leftover, run_attempt};
use crate::events::Level;
use crate::failure::Stop;
use crate::job::{AttemptNumber, FileId, Receipt};
use crate::mapping::{DataFolder, Owner, State};
use crate::result::ResultDocument;

const NOTE: &str = "attempt.json";

/// An attempt that its worker left behind.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) attempt: AttemptNumber,
    /// The attempt's folder, with the data folder in it.
    pub(crate) folder: PathBuf,
    /// The engine's id of its container.
    pub(crate) container: String,
}

impl Adoption {
    /// Whether an attempt came so far that its container may have been started. Without a note nobody can go on.
    pub(crate) async fn is_possible(folder: &Path) -> bool {
        Note::read(folder).await.is_some()
    }
}

/// An adoption with what the dead worker had noted.
#[derive(Debug)]
pub(super) struct Resumed {
    pub(super) note: Note,
    pub(super) document: Option<ResultDocument>,
    adoption: Adoption,
}

/// What the publishing of a unit needs of its staging.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// Place among the job's units.
    pub(super) unit: usize,
    input_bytes: u64,
    input_files: u64,
    /// How far the inputs are read, as a state document.
    seen: String,
    processed_tags: Vec<(u64, Vec<String>)>,
    /// Number of the first event after this note.
    first_event: u64,
    /// Where the container was told to send its log messages.
    #[serde(default)]
    pub(super) logger: Option<SocketAddr>,
}

impl Note {
    pub(super) fn of(run: &UnitRun<'_>, staged: &Staged, logger: Option<SocketAddr>) -> Self {
        let state = State { seen: staged.seen.clone(), ..State::default() };
        Self {
            unit: run.index,
            input_bytes: staged.bytes,
            input_files: staged.files,
            seen: state.render(),
            processed_tags: staged.processed_tags.iter().map(|(id, tags)| (id.0, tags.clone())).collect(),
            first_event: run.job.scribe.next_event(),
            logger,
        }
    }

    /// Without a note the attempt cannot be adopted, and nothing else is lost.
    pub(super) async fn write(&self, folder: &DataFolder) {
        let text = serde_json::to_vec(self).unwrap_or_default();
        if let Err(error) = tokio::fs::write(folder.root().join(NOTE), text).await {
            tracing::warn!(%error, "nobody could go on with this container");
        }
    }

    async fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&tokio::fs::read(folder.join(NOTE)).await.ok()?).ok()
    }

    fn staged(&self) -> Result<Staged, Stop> {
        let tags = self.processed_tags.iter().map(|(id, tags)| (FileId(*id), tags.clone()));
        Ok(Staged {
            bytes: self.input_bytes,
            files: self.input_files,
            seen: State::parse(&self.seen)?.seen,
            processed_tags: tags.collect(),
        })
    }
}

/// Goes on with an attempt that is ours now; one whose note is gone after all begins anew.
pub(crate) async fn adopt(
    runner: &Runner,
    order: &Order,
    adoption: Adoption,
    news: &News,
    halt: &Halt,
) -> Result<Settled, RunError> {
    let attempt = adoption.attempt;
    let note = Note::read(&adoption.folder).await;
    let record = runner.catalog.job(order.job).await?;
    let document = record.and_then(|record| serde_json::from_str(&record.result?).ok());
    let resumed = note.map(|note| Resumed { note, document, adoption });
    Box::pin(greeted(runner, order, run_attempt(runner, order, attempt, resumed, news, halt))).await
}

impl UnitRun<'_> {
    /// Stands by the container to its end and publishes what it leaves.
    pub(super) async fn resume(&self, resumed: &Resumed, record: &mut Record<'_>) -> Result<Receipt, Stop> {
        let order = self.job.order;
        let folder = DataFolder::existing(
            resumed.adoption.folder.clone(),
            Owner::Image,
            order.component.configuration_format,
        );
        let ended = Box::pin(self.resume_in(&folder, resumed, record)).await;
        self.clear(&folder, ended, record).await
    }

    async fn resume_in(
        &self,
        folder: &DataFolder,
        resumed: &Resumed,
        record: &mut Record<'_>,
    ) -> Result<Receipt, Stop> {
        let Some(image) = self.image else { return Ok(Receipt::default()) };
        let (runner, job) = (self.job.runner, self.job.order.job);
        let staged = resumed.note.staged()?;
        let known = runner.catalog.events_by_source_since(job, resumed.note.first_event).await?;
        leftover::fetch_log(self.job, self.index).await;
        let line = "the worker of this job died; another one goes on with its container";
        self.job.scribe.say(Level::Notice, line, self.job.news).await;
        let container = resumed.adoption.container.clone();
        let enclosed = self.take_over(container, resumed.note.logger, (image, staged.bytes), folder).await?;
        let beginning = Beginning::Resumed { known: Known::new(known) };
        Box::pin(self.run_container(enclosed, folder, (staged, beginning), record)).await
    }
}
