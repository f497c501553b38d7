//! Policies for images that are built: `release` keeps to the commit that a branch or tag meant at first, `master` asks.
//!
//! What a local folder holds is its version; there is nothing to keep to and nobody to ask.

use jiff::Timestamp;

use super::build::{BuildSource, Built};
use super::keeper::{Keeper, Wanted, engine_trouble};
use super::resolved::{ImageOrigin, ResolvedImage};
use super::{ImageError, ImageReference};
use crate::catalog::ImageLock;
use crate::component::{Policy, Stale};
use crate::job::ImageId;

/// Before a commit where registries have `sha256:`.
const COMMIT_PREFIX: &str = "git:";

impl Keeper {
    /// Gives the image of a source, built where that is needed. `say` hears the build, line by line.
    pub(crate) async fn built(
        &self,
        source: &BuildSource,
        policy: Policy,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        let reference = source.reference();
        let lock = self.catalog.image_lock(&reference, policy).await?;
        let built = self.builds.ensure(self, source, policy, lock.as_ref().and_then(commit), say).await?;
        let stands = self.keep(&reference, policy, lock, &built).await?;
        let built = match stands.as_ref().and_then(commit) {
            // Another worker was faster, and what it found holds for all.
            Some(first) if policy == Policy::Release && built.commit.as_deref() != Some(first) => {
                self.builds.ensure(self, source, policy, Some(first), say).await?
            }
            Some(_) | None => built,
        };
        if let (Some(why), Stale::Forbid) = (&built.stale, source.stale) {
            return Err(ImageError::StaleBuild { reference, why: why.clone() });
        }
        self.resolved_build(reference, policy, built).await
    }

    /// Fetches an image that builds start from. It gets its tag and no lock: the builder goes by tags.
    pub(super) async fn fetch_base(&self, reference: &ImageReference) -> Result<ImageId, ImageError> {
        let source = self.source(reference).await?;
        let wanted = Wanted { reference, policy: Policy::Release, stale: Stale::Allow };
        Ok(self.fetch(wanted, &source, &mut |_progress| {}).await?.id)
    }

    /// Remembers what a branch or tag meant, once the image of it is there; gives the lock that stands.
    async fn keep(
        &self,
        reference: &str,
        policy: Policy,
        lock: Option<ImageLock>,
        built: &Built,
    ) -> Result<Option<ImageLock>, ImageError> {
        let (Some(commit), None) = (&built.commit, &built.stale) else {
            return Ok(lock);
        };
        let now = Timestamp::now();
        let new = ImageLock {
            reference: reference.to_owned(),
            policy,
            digest: Some(format!("{COMMIT_PREFIX}{commit}")),
            image: built.id.clone(),
            access: None,
            resolved: now,
            last_used: now,
        };
        match lock {
            None if policy == Policy::Release => return Ok(Some(self.catalog.lock_image(&new).await?)),
            Some(lock) if (&lock.digest, &lock.image) == (&new.digest, &new.image) => {
                self.note_use(&lock).await?;
                return Ok(Some(lock));
            }
            Some(_) | None => self.catalog.move_image_lock(&new).await?,
        }
        Ok(Some(new))
    }

    async fn resolved_build(
        &self,
        reference: String,
        policy: Policy,
        built: Built,
    ) -> Result<ResolvedImage, ImageError> {
        let facts = self.engine.inspect_image(built.id.as_str()).await;
        let facts = facts.map_err(|source| engine_trouble(&reference, source))?;
        let facts = facts.ok_or_else(|| ImageError::Vanished { reference: reference.clone() })?;
        let done = match (built.is_new, &built.stale) {
            (true, _) => ImageOrigin::Built,
            (false, Some(_)) => ImageOrigin::Stale,
            (false, None) => ImageOrigin::Present,
        };
        let warning = |why| {
            format!(
                "whether {reference} has moved could not be learned, and what was built last was run: {why}"
            )
        };
        Ok(ResolvedImage {
            id: built.id,
            digest: built.commit.map(|commit| format!("{COMMIT_PREFIX}{commit}")),
            policy,
            done,
            entrypoint: facts.entrypoint.into_iter().chain(facts.command).collect::<Vec<_>>().join(" "),
            warnings: built.stale.map(warning).into_iter().collect(),
            reference,
        })
    }
}

fn commit(lock: &ImageLock) -> Option<&str> {
    lock.digest.as_deref()?.strip_prefix(COMMIT_PREFIX)
}
