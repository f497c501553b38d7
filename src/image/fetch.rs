//! One pull, tried until it is there or no further try can help.

use std::sync::Arc;
use std::time::Duration;

use super::error::{PullTrouble, trouble_of};
use super::flights::FlightProgress;
use super::keeper::{Identity, engine_trouble};
use super::patience::Patience;
use super::{ImageError, ImageReference};
use crate::engine::{Engine, EngineError, ImageFacts};

/// What becomes of the tag on the engine after a pull by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The tag moves to the new image, as after a pull by tag.
    Take,
    /// An old image comes back; a tag that names another one by now is left alone.
    IfFree,
}

/// Everything a pull needs to go on by itself.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) engine: Engine,
    pub(super) reference: ImageReference,
    /// `name@digest` or `name:tag`.
    pub(super) target: String,
    pub(super) identity: Identity,
    pub(super) patience: Patience,
    pub(super) stall_limit: Duration,
    pub(super) naming: Naming,
}

impl Fetch {
    pub(super) async fn run(self, progress: FlightProgress) -> Result<ImageFacts, ImageError> {
        // Somebody else's pull may have landed just before this one began.
        let facts = match self.inspect(&self.target).await? {
            Some(facts) => facts,
            None => self.pull(&progress).await?,
        };
        self.name(&facts).await?;
        Ok(facts)
    }

    async fn pull(&self, progress: &FlightProgress) -> Result<ImageFacts, ImageError> {
        let mut tries = 0;
        while let Err(error) = self.pull_once(progress).await {
            tries += 1;
            let trouble = trouble_of(&error);
            let pause = self.patience.pause_after(tries, None);
            match pause.filter(|_pause| trouble == PullTrouble::Passing) {
                Some(pause) => {
                    tracing::info!(image = %self.target, error = %error, tries, "a pull is tried again");
                    tokio::time::sleep(pause).await;
                }
                None => return Err(self.told(trouble, error)),
            }
        }
        // A pull that ends without an error is no proof: only the image itself is.
        let facts = self.inspect(&self.target).await?;
        facts.ok_or_else(|| ImageError::Vanished { reference: self.reference.to_string() })
    }

    async fn pull_once(&self, progress: &FlightProgress) -> Result<(), EngineError> {
        let login = self.identity.login.for_engine();
        let mut pull = self.engine.pull_image(&self.target, login.as_ref(), self.stall_limit).await?;
        while let Some(step) = pull.next().await? {
            progress.tell(step);
        }
        Ok(())
    }

    /// A pull by digest leaves the image without a name, and people look for names.
    async fn name(&self, facts: &ImageFacts) -> Result<(), ImageError> {
        let (None, Some(tag)) = (self.reference.digest(), self.reference.tag()) else {
            return Ok(());
        };
        let named = self.inspect(&self.reference.exact()).await?;
        let is_free = named.is_none();
        if named.is_some_and(|named| named.id == facts.id) || (self.naming == Naming::IfFree && !is_free) {
            return Ok(());
        }
        let tagged = self.engine.tag_image(&facts.id, &self.reference.name(), tag).await;
        tagged.map_err(|source| engine_trouble(&self.reference.to_string(), source))
    }

    async fn inspect(&self, image: &str) -> Result<Option<ImageFacts>, ImageError> {
        let facts = self.engine.inspect_image(image).await;
        facts.map_err(|source| engine_trouble(&self.reference.to_string(), source))
    }

    fn told(&self, trouble: PullTrouble, error: EngineError) -> ImageError {
        let (reference, registry) = (self.reference.to_string(), self.reference.registry().to_owned());
        match trouble {
            PullTrouble::NotFound => ImageError::NotFound { reference, registry },
            PullTrouble::Denied => {
                ImageError::Denied { reference, registry, why: self.identity.source.words() }
            }
            PullTrouble::DiskFull | PullTrouble::NoEngine | PullTrouble::Passing => {
                ImageError::Engine { reference, source: Arc::new(error) }
            }
        }
    }
}
