//! Images on the engine: look at one, pull one.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptions;
use futures_util::stream::{Stream, StreamExt};

use super::{Engine, EngineError};

/// How long a pull may stand still. The whole may take as long as it takes.
const PULL_STALL_LIMIT: Duration = Duration::from_secs(300);

/// What the engine knows of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    pub id: String,
    /// `repository@sha256:…`, one for each registry it came from.
    pub repository_digests: Vec<String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
}

/// One step of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullProgress {
    /// The layer it is about; empty for the image as a whole.
    pub layer: String,
    /// The engine's words, such as `Downloading` or `Pull complete`.
    pub status: String,
    pub bytes_done: Option<u64>,
    pub bytes_total: Option<u64>,
}

/// A pull under way.
pub(crate) struct PullStream {
    engine: Engine,
    subject: String,
    steps: Pin<Box<dyn Stream<Item = Result<CreateImageInfo, ClientError>> + Send>>,
}

impl fmt::Debug for PullStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullStream").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Engine {
    /// `None` when the engine has no such image.
    pub(crate) async fn inspect_image(&self, reference: &str) -> Result<Option<ImageFacts>, EngineError> {
        let subject = format!("image {reference}");
        match self.ask("inspect", &subject, self.docker.inspect_image(reference)).await {
            Ok(inspect) => Ok(Some(facts(inspect))),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins to pull `name:tag` or `name@digest`. Nothing happens until the stream is read.
    pub(crate) fn pull_image(&self, reference: &str) -> PullStream {
        let options =
            CreateImageOptions { from_image: Some(reference.into()), ..CreateImageOptions::default() };
        let steps = self.docker.create_image(Some(options), None, None);
        PullStream { engine: self.clone(), subject: format!("image {reference}"), steps: Box::pin(steps) }
    }
}

impl PullStream {
    /// The next step; `None` when the engine says no more. Trouble after the answer began is found here too.
    pub(crate) async fn next(&mut self) -> Result<Option<PullProgress>, EngineError> {
        match tokio::time::timeout(PULL_STALL_LIMIT, self.steps.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(info))) => Ok(Some(progress(info))),
            Ok(Some(Err(error))) => Err(self.engine.sort("pull", &self.subject, error)),
            Err(_elapsed) => Err(EngineError::Silent {
                action: "get on with pulling",
                subject: self.subject.clone(),
                after: PULL_STALL_LIMIT,
            }),
        }
    }
}

fn facts(inspect: ImageInspect) -> ImageFacts {
    let config = inspect.config.unwrap_or_default();
    ImageFacts {
        id: inspect.id.unwrap_or_default(),
        repository_digests: inspect.repo_digests.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
    }
}

fn progress(info: CreateImageInfo) -> PullProgress {
    let detail = info.progress_detail.unwrap_or_default();
    let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    PullProgress {
        layer: info.id.unwrap_or_default(),
        status: info.status.unwrap_or_default(),
        bytes_done: count(detail.current),
        bytes_total: count(detail.total),
    }
}
