//! One job: resolve → stage → run → collect → upload → commit. Reads like the story it tells.
//! Knows no queue, no terminal, no HTTP: whoever watches gets [`News`], whoever wants it to stop has its [`Halt`].

mod adopt;
mod build_log;
mod confidential;
mod debug;
mod enclosed;
mod environment;
mod examine;
mod halt;
mod identity;
mod leftover;
mod limits_told;
mod listen;
mod logger;
mod news;
mod order;
mod publish;
mod record;
mod resolve;
mod retry;
mod scribe;
mod settle;
mod so_far;
mod unit;

use std::convert::Infallible;

pub(crate) use adopt::{Adoption, adopt};
pub(crate) use examine::{Examined, Examiner};
pub(crate) use halt::{Halt, HaltReason};
pub(crate) use leftover::forget_quarantines;
pub(crate) use news::{News, NewsItem, channel};
pub(crate) use order::{Order, Runner, RunnerOptions};
pub(crate) use resolve::{Pretended, complaints};
pub(crate) use retry::RetryDelay;
pub(crate) use settle::{Settled, refuse};

use crate::catalog::{Begun, CatalogError, UnitEnd};
use crate::configuration::{OnError, Unit};
use crate::events::{Level, Redactor};
use crate::failure::Stop;
use crate::image::{AskedImage, ImageError, Keeper, ResolvedImage};
use crate::job::{AttemptNumber, Blame, Failure, Outcome, Phase, RunMode};
use crate::result::ImagePart;
use adopt::Resumed;
use record::Record;
use resolve::Asked;
use scribe::Scribe;
use so_far::SoFar;
use unit::{Next, UnitRun};

/// Why there is not even an outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Records a job of our own and takes its one attempt, unless another job of its configuration is open.
pub(crate) async fn begin(runner: &Runner, order: &Order) -> Result<Begun, RunError> {
    let request = order.request_document();
    let configuration = order.request.configuration.as_ref();
    let (catalog, worker) = (&runner.catalog, &runner.options.worker);
    Ok(catalog.begin_job(order.job, &order.request.component, configuration, &request, worker).await?)
}

/// Runs an attempt that was claimed to its end.
pub(crate) async fn run(
    runner: &Runner,
    order: &Order,
    attempt: AttemptNumber,
    news: &News,
    halt: &Halt,
) -> Result<Settled, RunError> {
    Box::pin(greeted(runner, order, run_attempt(runner, order, attempt, None, news, halt))).await
}

/// While the job is resolved, the engine says who it is.
async fn greeted(
    runner: &Runner,
    order: &Order,
    story: impl Future<Output = Result<Settled, RunError>>,
) -> Result<Settled, RunError> {
    let greeting = async {
        if order.request.mode != RunMode::Input {
            runner.greet_engine().await;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        ended = Box::pin(story) => ended,
        never = greeting => match never {},
    }
}

async fn run_attempt(
    runner: &Runner,
    order: &Order,
    attempt: AttemptNumber,
    resumed: Option<Resumed>,
    news: &News,
    halt: &Halt,
) -> Result<Settled, RunError> {
    let asked = Box::pin(resolve::ask(runner, order)).await?;
    let redactor = Redactor::new(asked.secrets());
    let scribe = Scribe::begin(runner.catalog.clone(), order.job, redactor).await?;
    let mut record = match &resumed {
        None => Record::begin(runner, order, attempt),
        Some(resumed) => Record::resume(runner, order, attempt, resumed.document.clone()),
    };
    let job = Job { runner, order, attempt, scribe: &scribe, news, halt };
    let outcome = match job.story(asked, resumed, &mut record).await {
        Ok(outcome) => outcome,
        Err(Stop::Failed(failure)) => Outcome::Failed(job.masked(&failure)),
        Err(Stop::Cancelled) if record.has_run => {
            Outcome::Terminated { during: record.phase(), receipt: record.published.clone() }
        }
        Err(Stop::Cancelled) => Outcome::Cancelled,
    };
    leftover::remove_log(&job).await;
    job.settle(record, outcome).await
}

/// Everything the steps of one attempt share.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    runner: &'a Runner,
    order: &'a Order,
    attempt: AttemptNumber,
    scribe: &'a Scribe,
    news: &'a News,
    halt: &'a Halt,
}

impl Job<'_> {
    /// From resolve to commit. Each unit (a row of the configuration, or the whole of it) commits by itself, so that
    /// later rows see earlier rows' tables; the last one's commit ends the job.
    async fn story(
        &self,
        asked: Asked,
        resumed: Option<Resumed>,
        record: &mut Record<'_>,
    ) -> Result<Outcome, Stop> {
        let units = match &resumed {
            None => self.resolve(asked, record).await?,
            // What its inputs were when it began is what counts.
            Some(_) => asked.into_units()?,
        };
        record.document.limits = limits_told::parts(&units);
        let images = self.images(&units, record).await?;
        let ended = self.ended_before(record).await?;
        let mut so_far = SoFar::default();
        for (index, (unit, image)) in units.iter().zip(&images).enumerate() {
            let ended = match ended.iter().find(|end| end.unit as usize == index) {
                Some(UnitEnd { failure: None, .. }) => Ok(None),
                Some(UnitEnd { failure: Some(failure), .. }) => Err(Stop::Failed(Failure {
                    code: failure.code,
                    message: failure.message.clone(),
                    detail: "it failed in an earlier attempt".to_owned(),
                })),
                None => {
                    let next = if index + 1 < units.len() { Next::AnotherUnit } else { Next::EndOfJob };
                    let run =
                        UnitRun { job: self, unit, index, image: image.as_ref(), so_far: &so_far, next };
                    match &resumed {
                        Some(resumed) if resumed.note.unit == index => run.resume(resumed, record).await,
                        Some(_) | None => run.run(record).await,
                    }
                    .map(Some)
                }
            };
            match ended {
                Ok(published) => {
                    record.add_published(published.unwrap_or_default());
                    so_far.succeed();
                }
                Err(Stop::Failed(failure)) if self.goes_on_after(&failure) => {
                    so_far.fail(unit, self.masked(&failure));
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(so_far.into_outcome(record.published.clone(), &record.leaks))
    }

    /// The units that an earlier attempt has brought to their end: they are not run again, and what they published
    /// counts.
    async fn ended_before(&self, record: &mut Record<'_>) -> Result<Vec<UnitEnd>, Stop> {
        if self.attempt == AttemptNumber(1) && !record.is_resumed {
            return Ok(Vec::new());
        }
        let ended = self.runner.catalog.unit_ends(self.order.job).await?;
        if !ended.is_empty() {
            record.add_published(self.runner.catalog.outputs_of(self.order.job).await?);
        }
        Ok(ended)
    }

    /// Checks the configuration against component and catalog: all complaints at once, before anything is pulled.
    async fn resolve(&self, asked: Asked, record: &mut Record<'_>) -> Result<Vec<Unit>, Stop> {
        self.enter(record, Phase::Resolve).await?;
        let units = resolve::resolve(self.runner, self.order, asked).await?;
        record.leave(0);
        for notice in units.iter().flat_map(|unit| &unit.notices) {
            self.scribe.say(Level::Notice, notice, self.news).await;
            record.document.note(self.scribe.mask(notice));
        }
        Ok(units)
    }

    /// The image of every unit (rows may ask for tags of their own), all found before the first one runs.
    async fn images(
        &self,
        units: &[Unit],
        record: &mut Record<'_>,
    ) -> Result<Vec<Option<ResolvedImage>>, Stop> {
        if self.order.request.mode == RunMode::Input {
            return Ok(vec![None; units.len()]);
        }
        self.enter(record, Phase::Image).await?;
        let keeper = self.runner.keeper().await?;
        self.tell_engine(record).await?;
        let mut images = Vec::with_capacity(units.len());
        for unit in units {
            let asked = self.order.image_source(unit)?;
            // A pull may take long. It goes on where others wait for it too, else the engine keeps its layers.
            let ensuring = Box::pin(self.ensure(keeper, &asked));
            let image = self.halt.token().run_until_cancelled(ensuring).await.ok_or(Stop::Cancelled)??;
            self.tell_image(&image, record).await;
            images.push(Some(image));
        }
        record.leave(0);
        Ok(images)
    }

    /// Limits that are only asked for are no limits: whoever runs code of others must know.
    async fn tell_engine(&self, record: &mut Record<'_>) -> Result<(), Stop> {
        let unenforced = &self.runner.engine().await?.facts().await?.unenforced;
        if !unenforced.is_empty() {
            let line = format!(
                "this engine does not limit {}: a component can take the whole machine (a rootless engine needs cgroup v2 and systemd)",
                unenforced.join(", ")
            );
            self.scribe.say(Level::Warning, &line, self.news).await;
            record.document.note(line);
        }
        Ok(())
    }

    async fn ensure(&self, keeper: &Keeper, asked: &AskedImage) -> Result<ResolvedImage, ImageError> {
        match asked {
            AskedImage::Registry { .. } => {
                let mut watch = |progress| self.news.hint(NewsItem::Pulling(progress));
                keeper.ensure(asked, &mut watch).await
            }
            AskedImage::Build { source, policy } => {
                let (mut ear, pen) = build_log::channel(self.runner.options.speech.events_max);
                let building = async move {
                    let mut say = |line| ear.hear(line);
                    keeper.built(source, *policy, &mut say).await
                };
                let (built, ()) = tokio::join!(building, pen.keep(self.scribe, self.news));
                built
            }
        }
    }

    /// Rows of one image are told of it once.
    async fn tell_image(&self, image: &ResolvedImage, record: &mut Record<'_>) {
        let part = ImagePart::of(image);
        if record.document.image.as_ref() == Some(&part) {
            return;
        }
        if image.is_unremarkable() {
            self.scribe.keep(Level::Info, &image.words()).await;
        } else {
            self.scribe.say(Level::Info, &image.words(), self.news).await;
        }
        for warning in &image.warnings {
            self.scribe.say(Level::Warning, warning, self.news).await;
            record.document.note(self.scribe.mask(warning));
        }
        record.document.image = Some(part);
    }

    /// Begins a phase, unless somebody has asked to stop.
    async fn enter(&self, record: &mut Record<'_>, phase: Phase) -> Result<(), Stop> {
        record.enter(phase);
        self.news.tell(NewsItem::Phase(phase)).await;
        self.hold(phase).await;
        if self.halt.token().is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// Waits at a phase until the job is stopped, where that was asked for.
    async fn hold(&self, phase: Phase) {
        if self.runner.options.hold_at == Some(phase) {
            self.scribe.say(Level::Notice, &format!("holding at {}", phase.as_str()), self.news).await;
            self.halt.token().cancelled().await;
        }
    }

    /// Whether the next unit may run after one that failed. Never after trouble of the platform: a later try may help,
    /// and the job may be another runner's by now.
    fn goes_on_after(&self, failure: &Failure) -> bool {
        self.order.configuration.on_error == OnError::Continue && failure.code.blame() != Blame::Platform
    }

    /// A failure's texts may quote what the component said or wrote.
    fn masked(&self, failure: &Failure) -> Failure {
        Failure {
            code: failure.code,
            message: self.scribe.mask(&failure.message),
            detail: self.scribe.mask(&failure.detail),
        }
    }
}
