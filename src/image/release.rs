//! Policy release: a tag is resolved once and then means the same image, whatever becomes of it in the registry.
//!
//! The registry is not asked while the image is here. One exception keeps private images private: where credentials are
//! set that never proved that they may read the image, or others than those that did, they prove it once.

use super::credentials::{ANYBODY, Source};
use super::fetch::Naming;
use super::keeper::{Identity, Keeper, Wanted, registry_trouble};
use super::registry_error::RegistryError;
use super::resolved::{Found, ImageOrigin, ResolvedImage};
use super::{ImageError, ImageReference};
use crate::catalog::ImageLock;
use crate::component::Stale;
use crate::engine::PullProgress;

impl Keeper {
    pub(super) async fn release(
        &self,
        wanted: Wanted<'_>,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        let name = wanted.reference.complete();
        let source = self.source(wanted.reference).await?;
        let lock = match self.catalog.image_lock(&name, wanted.policy).await? {
            Some(lock) => lock,
            None => match self.first(wanted, &source, watch).await? {
                First::Ended(resolved) => return Ok(resolved),
                First::SomebodyElse(lock) => lock,
            },
        };
        self.locked(wanted, lock, source, watch).await
    }

    /// Runs what the lock says.
    async fn locked(
        &self,
        wanted: Wanted<'_>,
        lock: ImageLock,
        source: Source,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        let reference = wanted.reference;
        let Some(digest) = lock.digest.clone() else {
            return self.local(wanted, lock, source, watch).await;
        };
        if let Some(found) = self.held(reference, &lock).await? {
            let mut resolved = wanted.resolved(found, ImageOrigin::Present);
            if must_prove(lock.access.as_deref(), &source) {
                match self.prove(wanted, &digest, source).await? {
                    Proof::Shown(access) => {
                        self.catalog.move_image_lock(&ImageLock { access: Some(access), ..lock }).await?;
                    }
                    Proof::Unknown(warning) => resolved.warnings.push(warning),
                }
            } else {
                self.note_use(&lock).await?;
            }
            return Ok(resolved);
        }
        let identity = self.identity(reference, source).await?;
        let found = self.pull(reference, Some(&digest), &identity, Naming::IfFree, watch).await?;
        let access = Some(identity.source.identity());
        // The lock keeps the time when the tag was resolved.
        let resolved = lock.resolved;
        let lock = ImageLock { resolved, ..wanted.lock(&found, access) };
        self.catalog.move_image_lock(&lock).await?;
        Ok(wanted.resolved(found, ImageOrigin::Pulled))
    }

    /// An image that never saw a registry: nothing but its tag on this engine says which it is, so that a developer who
    /// builds it again runs what was built.
    async fn local(
        &self,
        wanted: Wanted<'_>,
        lock: ImageLock,
        source: Source,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        let reference = wanted.reference;
        let found = match self.inspect(reference, &reference.exact()).await? {
            Some(found) => found,
            None => match self.held(reference, &lock).await? {
                Some(found) => found,
                // It is gone for good. A registry may have it by now.
                None => return self.fetch_first(wanted, &source, watch).await,
            },
        };
        if found.id == lock.image && found.digest.is_none() {
            self.note_use(&lock).await?;
        } else {
            self.catalog.move_image_lock(&wanted.lock(&found, None)).await?;
        }
        Ok(wanted.resolved(found, ImageOrigin::Present))
    }

    /// A reference that nothing is known of yet.
    async fn first(
        &self,
        wanted: Wanted<'_>,
        source: &Source,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<First, ImageError> {
        let reference = wanted.reference;
        let Some(found) = self.inspect(reference, &reference.exact()).await? else {
            let pulled = self.fetch(wanted, source, watch).await?;
            return self.lock_first(wanted, pulled, Some(source.identity()), ImageOrigin::Pulled).await;
        };
        let found = found.with_digest(reference.digest().map(str::to_owned));
        let Some(digest) = found.digest.clone().filter(|_digest| must_prove(None, source)) else {
            return self.lock_first(wanted, found, None, ImageOrigin::Present).await;
        };
        match self.prove(wanted, &digest, source.clone()).await? {
            Proof::Shown(access) => self.lock_first(wanted, found, Some(access), ImageOrigin::Present).await,
            Proof::Unknown(warning) => {
                let mut resolved = wanted.resolved(found, ImageOrigin::Present);
                resolved.warnings.push(warning);
                Ok(First::Ended(resolved))
            }
        }
    }

    /// Of several workers that resolve a tag at the same time, the first one's answer holds for all.
    async fn lock_first(
        &self,
        wanted: Wanted<'_>,
        found: Found,
        access: Option<String>,
        done: ImageOrigin,
    ) -> Result<First, ImageError> {
        let lock = self.catalog.lock_image(&wanted.lock(&found, access)).await?;
        Ok(if lock.digest == found.digest {
            First::Ended(wanted.resolved(found, done))
        } else {
            First::SomebodyElse(lock)
        })
    }

    /// Resolves and pulls anew, whatever the lock was.
    async fn fetch_first(
        &self,
        wanted: Wanted<'_>,
        source: &Source,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        let found = self.fetch(wanted, source, watch).await?;
        self.catalog.move_image_lock(&wanted.lock(&found, Some(source.identity()))).await?;
        Ok(wanted.resolved(found, ImageOrigin::Pulled))
    }

    /// Asks the registry what the tag means and pulls exactly that.
    pub(super) async fn fetch(
        &self,
        wanted: Wanted<'_>,
        source: &Source,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<Found, ImageError> {
        let reference = wanted.reference;
        let identity = self.identity(reference, source.clone()).await?;
        let digest = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => Some(digest.to_owned()),
            (None, None) => None,
            (None, Some(tag)) => self.asked(reference, tag, &identity).await?,
        };
        self.pull(reference, digest.as_deref(), &identity, Naming::Take, watch).await
    }

    /// `None`: we cannot reach the registry; the engine may know a way (a proxy, a mirror), and pulls by tag.
    async fn asked(
        &self,
        reference: &ImageReference,
        tag: &str,
        identity: &Identity,
    ) -> Result<Option<String>, ImageError> {
        let patience = self.options.patience;
        match self.ask(reference, tag, &identity.login, patience, RegistryError::is_busy).await {
            Ok(digest) => Ok(Some(digest)),
            Err(RegistryError::Unreachable { .. } | RegistryError::Silent { .. }) => Ok(None),
            Err(error) => Err(registry_trouble(reference, &identity.source, error)),
        }
    }

    /// Asks the registry whether these credentials may read the image.
    async fn prove(&self, wanted: Wanted<'_>, digest: &str, source: Source) -> Result<Proof, ImageError> {
        let reference = wanted.reference;
        let identity = self.identity(reference, source).await?;
        let patience = self.options.patience_with_copy;
        let asked = self.ask(reference, digest, &identity.login, patience, RegistryError::is_busy).await;
        match asked {
            Ok(_digest) => Ok(Proof::Shown(identity.source.identity())),
            Err(error) if error.is_transient() && wanted.stale == Stale::Allow => {
                Ok(Proof::Unknown(format!(
                    "whether the credentials that are set may read the image {reference} could not be learned, and the \
                     copy that is here was run: {error}"
                )))
            }
            Err(error) => Err(registry_trouble(reference, &identity.source, error)),
        }
    }
}

enum First {
    Ended(ResolvedImage),
    SomebodyElse(ImageLock),
}

enum Proof {
    /// To somebody of this identity.
    Shown(String),
    /// Nobody could say; a warning for the job.
    Unknown(String),
}

/// Whether the credentials that are set still have to show that they may read an image. What anybody may read needs no
/// proof, and neither does what is here while no credentials are set: the engine's images are open to whoever may use
/// the engine.
fn must_prove(access: Option<&str>, source: &Source) -> bool {
    match access {
        Some(ANYBODY) => false,
        Some(access) => access != source.identity(),
        None => *source != Source::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Hidden;

    #[test]
    fn credentials_prove_themselves_once_and_again_when_they_are_others() {
        let alice = Source::Settings { username: "alice".into(), password: Hidden::new("a") };
        let changed = Source::Settings { username: "alice".into(), password: Hidden::new("b") };
        assert!(must_prove(None, &alice));
        assert!(!must_prove(Some("settings:alice"), &alice));
        assert!(!must_prove(Some("settings:alice"), &changed), "the same person with another password");
        assert!(must_prove(Some("settings:bob"), &alice));
        assert!(must_prove(Some("settings:alice"), &Source::Nobody));
        assert!(!must_prove(Some(ANYBODY), &alice));
        assert!(!must_prove(None, &Source::Nobody));
    }
}
