//! The bench on which runs are made: scratch projects inside the worker's own folder, which the sweep removes with its
//! containers should this process die.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OnceCell, mpsc};

use super::Means;
use super::error::CertifyError;
use super::published::{Published, Shelves};
use super::ran::{LINES_MAX, Ran};
use super::subject::Subject;
use super::trial::Trial;
use crate::blob::BlobStore;
use crate::catalog::{Begun, Catalog, StateKey};
use crate::component::DocumentFormat;
use crate::engine::Engine;
use crate::events::{MASK, Source};
use crate::image::Keeper;
use crate::job::{Blame, Failure, FailureCode, JobId, JobRequest, RunMode, TableOptions};
use crate::mapping::{self, DataFolder, Owner, ProgressSink};
use crate::result::ResultDocument;
use crate::runner::{self, Examiner, Halt, HaltReason, NewsItem, Order, Runner, RunnerOptions, Settled};
use crate::runtime;
use crate::secret::{LeakPolicy, PlainPolicy, SecretRules};

/// Between two looks whether a container has started.
const START_PAUSE: Duration = Duration::from_millis(10);
/// How tini, the engine's init process, marks what it says of itself.
const INIT_MARK: &str = " tini (";
/// It speaks last, so its last lines are its own.
const INIT_LINES_MAX: usize = 100;

pub(super) struct Bench<'a> {
    means: Means<'a>,
    engine: Engine,
    keeper: Keeper,
    /// Holds all scratch projects.
    folder: PathBuf,
    made: Cell<u32>,
}

/// A project of its own: an empty catalog and an empty blob store.
pub(super) struct Scratch {
    folder: PathBuf,
    catalog: Catalog,
    blobs: BlobStore,
}

impl<'a> Bench<'a> {
    pub(super) async fn open(means: Means<'a>) -> Result<Self, CertifyError> {
        let engine = means.runner.engine().await?.clone();
        // What a reference means is locked in the project, as for any run of it.
        let catalog = means.runner.catalog.clone();
        let keeper = Keeper::new(engine.clone(), catalog, means.runner.keeper_options.clone());
        let folder = means.runner.options.work_dir.join("certify");
        make_dir(&folder).await?;
        Ok(Self { means, engine, keeper, folder, made: Cell::new(0) })
    }

    /// Between SIGTERM and SIGKILL.
    pub(super) fn grace(&self) -> Duration {
        self.means.runner.options.grace
    }

    /// Removes every scratch project with whatever lies in it.
    pub(super) async fn clear(self) -> Result<(), CertifyError> {
        Ok(DataFolder::existing(self.folder, Owner::Image, DocumentFormat::Json).remove().await?)
    }

    /// A scratch project with the subject's tables in it.
    pub(super) async fn scratch(&self, subject: &Subject) -> Result<Scratch, CertifyError> {
        self.made.set(self.made.get() + 1);
        let folder = self.folder.join(self.made.get().to_string());
        make_dir(&folder).await?;
        let worker = &self.means.runner.options.worker;
        let catalog = Catalog::open_sqlite(&folder.join("catalog.sqlite")).await?.acting_as(worker.clone());
        let blobs = BlobStore::directory(&folder.join("blobs"), worker.as_str(), false)?;
        for (table, file) in &subject.tables {
            let options = TableOptions::default();
            let sink = ProgressSink::new(|_step| {});
            let imported = mapping::import_table(file, table.clone(), options, &catalog, &blobs, &sink).await;
            imported.map_err(|source| CertifyError::Import {
                table: table.to_string(),
                source: Box::new(source),
            })?;
        }
        Ok(Scratch { folder, catalog, blobs })
    }

    /// Runs a trial in a scratch project of its own.
    pub(super) async fn run(&self, subject: &Subject, trial: Trial) -> Result<Ran, CertifyError> {
        let scratch = self.scratch(subject).await?;
        self.run_in(&scratch, subject, trial).await
    }

    pub(super) async fn run_in(
        &self,
        scratch: &Scratch,
        subject: &Subject,
        trial: Trial,
    ) -> Result<Ran, CertifyError> {
        if self.means.stop.is_cancelled() {
            return Err(CertifyError::Interrupted);
        }
        (self.means.tell)(&trial.name);
        let examiner = Examiner::new(trial.alteration, trial.environment, subject.timeout);
        let runner = self.runner(scratch, examiner);
        let order = order(subject, &trial.component, trial.configuration);
        let halt = Halt::default();
        let conducted = Box::pin(self.conduct(&runner, &order, &halt, trial.stop_after, &trial.name));
        let (document, heard) = conducted.await?;
        if self.means.stop.is_cancelled() {
            return Err(CertifyError::Interrupted);
        }
        check_blame(&document, &trial.name)?;
        let (units, _complaints) =
            order.configuration.units(&order.component, Some(&subject.id), Timestamp::now());
        let shelves = Shelves { catalog: &scratch.catalog, blobs: &scratch.blobs };
        let keys: Vec<StateKey> = units
            .iter()
            .map(|unit| StateKey {
                component: order.request.component.clone(),
                configuration: subject.id.clone(),
                row: unit.row.clone(),
            })
            .collect();
        let published = match document.error {
            None => shelves.published(&document, &keys).await?,
            Some(_) => Published::default(),
        };
        let (containers, leaks) = runner.examiner.map(Examiner::into_seen).unwrap_or_default();
        let Heard { masked_lines, init_lines } = heard;
        Ok(Ran {
            name: trial.name,
            document,
            containers,
            published,
            leaks,
            masked_lines,
            init_lines: init_lines.into(),
        })
    }

    /// From the job's begin to its end, listening and, where it is time, asking it to stop.
    async fn conduct(
        &self,
        runner: &Runner,
        order: &Order,
        halt: &Halt,
        stop_after: Option<Duration>,
        name: &str,
    ) -> Result<(ResultDocument, Heard), CertifyError> {
        let (news, items) = runner::channel();
        let story = async {
            let begun = runner::begin(runner, order).await;
            let settled = match begun {
                Ok(Begun::Attempt(attempt)) => {
                    runner::run(runner, order, attempt, &news, halt).await.map_err(CertifyError::from)
                }
                Ok(Begun::Busy(job)) => Err(CertifyError::Busy { job }),
                Err(error) => Err(error.into()),
            };
            drop(news);
            settled
        };
        let (settled, heard) = tokio::select! {
            ended = async { tokio::join!(Box::pin(story), listen(items)) } => ended,
            never = self.stopped(halt) => match never {},
            never = self.signal(order.job, halt, stop_after) => match never {},
        };
        match settled? {
            Settled::Ended(document) => Ok((*document, heard)),
            Settled::PutBack(failure) => {
                Err(CertifyError::Platform { run: name.to_owned(), failure: Box::new(failure) })
            }
            Settled::Lost => Err(CertifyError::Interrupted),
        }
    }

    /// Hands somebody's wish to stop on to the run.
    async fn stopped(&self, halt: &Halt) -> Infallible {
        self.means.stop.cancelled().await;
        halt.stop(HaltReason::Asked);
        std::future::pending().await
    }

    /// Asks a job to stop, so long after its container was started.
    async fn signal(&self, job: JobId, halt: &Halt, after: Option<Duration>) -> Infallible {
        if let Some(after) = after {
            while !self.has_started(job).await {
                tokio::time::sleep(START_PAUSE).await;
            }
            tokio::time::sleep(after).await;
            halt.stop(HaltReason::Asked);
        }
        std::future::pending().await
    }

    async fn has_started(&self, job: JobId) -> bool {
        let found = runtime::find_containers(&self.engine, "longshore.job", Some(&job.to_string())).await;
        let Some(container) = found.ok().and_then(|found| found.into_iter().next()) else { return false };
        self.engine.inspect_container(&container.id).await.is_ok_and(|inspected| inspected.state.started)
    }

    /// A runner on the scratch project, with the engine, images and limits of the true one.
    fn runner(&self, scratch: &Scratch, examiner: Examiner) -> Runner {
        let true_one = self.means.runner;
        Runner {
            catalog: scratch.catalog.clone(),
            blobs: scratch.blobs.clone(),
            engine_options: true_one.engine_options.clone(),
            engine: OnceCell::new_with(Some(self.engine.clone())),
            keeper_options: true_one.keeper_options.clone(),
            keeper: OnceCell::new_with(Some(self.keeper.clone())),
            options: RunnerOptions {
                quarantine_dir: scratch.folder.join("quarantine"),
                staged_dir: scratch.folder.join("staged"),
                ..true_one.options.clone()
            },
            examiner: Some(examiner),
            // The project's keys open what the given configuration holds; plain is what certification puts there.
            secrets: SecretRules {
                keyring: true_one.secrets.keyring.clone(),
                plain: PlainPolicy::Accept,
                in_outputs: LeakPolicy::Warn,
            },
        }
    }
}

fn order(
    subject: &Subject,
    component: &crate::component::Component,
    configuration: crate::configuration::Configuration,
) -> Order {
    Order {
        job: JobId::fresh(),
        request: JobRequest {
            component: component.id.clone(),
            configuration: Some(subject.id.clone()),
            mode: RunMode::Run,
            tag: None,
        },
        component: component.clone(),
        configuration,
    }
}

/// Trouble of the platform is nobody's verdict, and neither is a configuration that nothing can be run with. Images
/// are a check of their own.
fn check_blame(document: &ResultDocument, name: &str) -> Result<(), CertifyError> {
    let Some(code) = document.failure_code() else { return Ok(()) };
    let is_image = matches!(code, FailureCode::ImageNotFound | FailureCode::ImageUnavailable);
    if code == FailureCode::ConfigurationInvalid {
        return Err(CertifyError::Configuration { message: document.message.clone() });
    }
    if code.blame() != Blame::Platform || is_image {
        return Ok(());
    }
    let detail = document.error.as_ref().map(|error| error.detail.clone()).unwrap_or_default();
    let failure = Box::new(Failure { code, message: document.message.clone(), detail });
    Err(CertifyError::Platform { run: name.to_owned(), failure })
}

/// What of a run's news counts.
#[derive(Debug, Default)]
struct Heard {
    masked_lines: Vec<String>,
    init_lines: VecDeque<String>,
}

async fn listen(mut items: mpsc::Receiver<NewsItem>) -> Heard {
    let mut heard = Heard::default();
    while let Some(item) = items.recv().await {
        let NewsItem::Said(event) = item else { continue };
        if event.source == Source::Runner {
            continue;
        }
        if event.message.contains(MASK) && heard.masked_lines.len() < LINES_MAX {
            heard.masked_lines.push(around_mask(&event.message));
        }
        for line in event.message.lines().filter(|line| line.contains(INIT_MARK)) {
            if heard.init_lines.len() == INIT_LINES_MAX {
                heard.init_lines.pop_front();
            }
            heard.init_lines.push_back(line.to_owned());
        }
    }
    heard
}

/// The words around the first mask: enough to find the place in the component, and no more of somebody's data.
fn around_mask(line: &str) -> String {
    const CHARS: usize = 40;
    let Some((before, after)) = line.split_once(MASK) else { return String::new() };
    let skipped = before.chars().count().saturating_sub(CHARS);
    let before: String = before.chars().skip(skipped).collect();
    let after: String = after.chars().take(CHARS).collect();
    format!("{before}{MASK}{after}")
}

async fn make_dir(path: &std::path::Path) -> Result<(), CertifyError> {
    let made = tokio::fs::create_dir_all(path).await;
    made.map_err(|source| CertifyError::Io { action: "make the folder", path: path.to_owned(), source })
}
