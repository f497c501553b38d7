//! One job: resolve → stage → run → collect → upload → commit. Reads like the story it tells.
//! Knows no queue, no terminal, no HTTP: whoever watches gets [`News`], whoever asks cancels the token.

mod build_log;
mod debug;
mod environment;
mod leftover;
mod listen;
mod news;
mod order;
mod record;
mod resolve;
mod scribe;
mod so_far;
mod unit;

use std::convert::Infallible;

use tokio_util::sync::CancellationToken;

pub(crate) use leftover::forget_quarantines;
pub(crate) use news::{News, NewsItem, channel};
pub(crate) use order::{Order, Runner, RunnerOptions};
pub(crate) use resolve::{Pretended, complaints};

use crate::catalog::CatalogError;
use crate::configuration::{OnError, Unit};
use crate::events::{Level, Redactor};
use crate::failure::Stop;
use crate::image::{AskedImage, ImageError, Keeper, ResolvedImage};
use crate::job::{AttemptNumber, Blame, Failure, Outcome, Phase, RunMode};
use crate::result::{ImagePart, ResultDocument};
use build_log::Say;
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

/// Runs a job to its one end and returns its result document.
pub(crate) async fn run(
    runner: &Runner,
    order: &Order,
    news: &News,
    cancel: &CancellationToken,
) -> Result<ResultDocument, RunError> {
    // While the job is recorded and resolved, the engine says who it is.
    let greeting = async {
        if order.request.mode != RunMode::Input {
            runner.greet_engine().await;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        ended = Box::pin(run_job(runner, order, news, cancel)) => ended,
        never = greeting => match never {},
    }
}

async fn run_job(
    runner: &Runner,
    order: &Order,
    news: &News,
    cancel: &CancellationToken,
) -> Result<ResultDocument, RunError> {
    let attempt = claim(runner, order).await?;
    let asked = resolve::ask(runner, order);
    let scribe = Scribe::new(runner.catalog.clone(), order.job, Redactor::new(asked.secrets()));
    let mut record = Record::begin(runner, order, attempt);
    let job = Job { runner, order, attempt, scribe: &scribe, news, cancel };
    let outcome = match job.story(asked, &mut record).await {
        Ok(outcome) => outcome,
        Err(Stop::Failed(failure)) => Outcome::Failed(job.masked(&failure)),
        Err(Stop::Cancelled) if record.has_run => {
            Outcome::Terminated { during: record.phase(), receipt: record.published.clone() }
        }
        Err(Stop::Cancelled) => Outcome::Cancelled,
    };
    leftover::remove_log(&job).await;
    record.settle(&outcome).await?;
    Ok(record.into_document())
}

/// Records the job and takes its first attempt.
async fn claim(runner: &Runner, order: &Order) -> Result<AttemptNumber, RunError> {
    let request = order.request_document();
    let configuration = order.request.configuration.as_ref();
    let (catalog, worker) = (&runner.catalog, &runner.options.worker);
    let component = &order.request.component;
    Ok(catalog.begin_job(order.job, component, configuration, &request, worker).await?)
}

/// Everything the steps of one attempt share.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    runner: &'a Runner,
    order: &'a Order,
    attempt: AttemptNumber,
    scribe: &'a Scribe,
    news: &'a News,
    cancel: &'a CancellationToken,
}

impl Job<'_> {
    /// From resolve to commit. Each unit (a row of the configuration, or the whole of it) commits by itself, so that
    /// later rows see earlier rows' tables; the last one's commit ends the job.
    async fn story(&self, asked: Asked, record: &mut Record<'_>) -> Result<Outcome, Stop> {
        let units = self.resolve(asked, record).await?;
        let images = self.images(&units, record).await?;
        let mut so_far = SoFar::default();
        for (index, (unit, image)) in units.iter().zip(&images).enumerate() {
            let next = if index + 1 < units.len() { Next::AnotherUnit } else { Next::EndOfJob };
            let run = UnitRun { job: self, unit, index, image: image.as_ref(), so_far: &so_far, next };
            match run.run(record).await {
                Ok(published) => {
                    record.add_published(published);
                    so_far.succeed();
                }
                Err(Stop::Failed(failure)) if self.goes_on_after(&failure) => {
                    so_far.fail(unit, self.masked(&failure));
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(so_far.into_outcome(record.published.clone()))
    }

    /// Checks the configuration against component and catalog: all complaints at once, before anything is pulled.
    async fn resolve(&self, asked: Asked, record: &mut Record<'_>) -> Result<Vec<Unit>, Stop> {
        self.enter(record, Phase::Resolve).await?;
        let units = resolve::resolve(self.runner, self.order, asked).await?;
        record.leave(0);
        for notice in units.iter().flat_map(|unit| &unit.notices) {
            self.scribe.say(Level::Notice, notice, self.news).await;
            record.document.notices.push(notice.clone());
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
        let mut images = Vec::with_capacity(units.len());
        for unit in units {
            let asked = self.order.image_source(unit)?;
            // A pull may take long. It goes on where others wait for it too, else the engine keeps its layers.
            let ensuring = Box::pin(self.ensure(keeper, &asked));
            let image = self.cancel.run_until_cancelled(ensuring).await.ok_or(Stop::Cancelled)??;
            self.tell_image(&image, record).await;
            images.push(Some(image));
        }
        record.leave(0);
        Ok(images)
    }

    async fn ensure(&self, keeper: &Keeper, asked: &AskedImage) -> Result<ResolvedImage, ImageError> {
        match asked {
            AskedImage::Registry { .. } => {
                let mut watch = |progress| self.news.hint(NewsItem::Pulling(progress));
                keeper.ensure(asked, &mut watch).await
            }
            AskedImage::Build { source, policy } => {
                let lines_max = self.runner.options.speech.events_max;
                let building = async |say: Say<'_>| keeper.built(source, *policy, say).await;
                build_log::telling(self.scribe, self.news, lines_max, building).await
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
            record.document.notices.push(warning.clone());
        }
        record.document.image = Some(part);
    }

    /// Begins a phase, unless somebody has asked to stop.
    async fn enter(&self, record: &mut Record<'_>, phase: Phase) -> Result<(), Stop> {
        record.enter(phase);
        self.news.tell(NewsItem::Phase(phase)).await;
        if self.runner.options.hold_at == Some(phase) {
            self.scribe.say(Level::Notice, &format!("holding at {}", phase.as_str()), self.news).await;
            self.cancel.cancelled().await;
        }
        if self.cancel.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
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
