//! Policy master: each run asks the registry whether the tag moved, and pulls only then.
//!
//! An answer that the tag is gone, or not for us, is an answer: the copy is not run. Only silence may be overlooked.

use super::ImageError;
use super::fetch::Naming;
use super::keeper::{Keeper, Wanted, registry_trouble};
use super::registry_error::RegistryError;
use super::resolved::{Found, ImageOrigin, ResolvedImage};
use crate::component::Stale;
use crate::engine::PullProgress;

impl Keeper {
    pub(super) async fn master(
        &self,
        wanted: Wanted<'_>,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        let reference = wanted.reference;
        let source = self.source(reference).await?;
        let copy = self.copy(wanted).await?;
        let identity = self.identity(reference, source).await?;
        let tag = reference.tag().unwrap_or_default();
        let has_copy = copy.is_some();
        let (patience, is_worth): (_, fn(&RegistryError) -> bool) = if has_copy {
            (self.options.patience_with_copy, RegistryError::is_quick)
        } else {
            // The engine may know a way that we do not, and has patience of its own.
            (self.options.patience, RegistryError::is_busy)
        };
        let asked = self.ask(reference, tag, &identity.login, patience, is_worth).await;
        let digest = match (asked, copy) {
            (Ok(digest), _) => Some(digest),
            (Err(error), Some(copy)) if error.is_transient() => return stale(wanted, copy, error),
            (Err(RegistryError::Unreachable { .. } | RegistryError::Silent { .. }), None) => None,
            (Err(error), _) => return Err(registry_trouble(reference, &identity.source, error)),
        };
        let present = match &digest {
            Some(digest) => self.inspect(reference, &reference.at(digest)).await?,
            None => None,
        };
        let (found, done) = if let Some(found) = present {
            (found.with_digest(digest), ImageOrigin::Present)
        } else {
            let pull = self.pull(reference, digest.as_deref(), &identity, Naming::Take, watch);
            (pull.await?, ImageOrigin::Pulled)
        };
        self.remember(wanted, &found, identity.source.identity()).await?;
        Ok(wanted.resolved(found, done))
    }

    /// What would run if nobody answered: what ran last, else what bears the tag here.
    async fn copy(&self, wanted: Wanted<'_>) -> Result<Option<Found>, ImageError> {
        let reference = wanted.reference;
        let lock = self.catalog.image_lock(&reference.complete(), wanted.policy).await?;
        let held = match &lock {
            Some(lock) => self.held(reference, lock).await?,
            None => None,
        };
        match held {
            Some(found) => Ok(Some(found)),
            None => self.inspect(reference, &reference.exact()).await,
        }
    }

    /// Keeps what ran last, for the day when nobody answers and for those who clean up.
    async fn remember(&self, wanted: Wanted<'_>, found: &Found, access: String) -> Result<(), ImageError> {
        let new = wanted.lock(found, Some(access));
        match self.catalog.image_lock(&new.reference, new.policy).await? {
            Some(lock)
                if (&lock.digest, &lock.image, &lock.access) == (&new.digest, &new.image, &new.access) =>
            {
                self.note_use(&lock).await
            }
            Some(_) | None => Ok(self.catalog.move_image_lock(&new).await?),
        }
    }
}

/// Nobody answered, and there is a copy.
fn stale(wanted: Wanted<'_>, copy: Found, error: RegistryError) -> Result<ResolvedImage, ImageError> {
    let reference = wanted.reference.to_string();
    match wanted.stale {
        Stale::Forbid => Err(ImageError::Stale { reference, source: error }),
        Stale::Allow => {
            let warning = format!(
                "whether the image {reference} has moved could not be learned, and the copy that is here was run: {error}"
            );
            let resolved = wanted.resolved(copy, ImageOrigin::Stale);
            Ok(ResolvedImage { warnings: vec![warning], ..resolved })
        }
    }
}
