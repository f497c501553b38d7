//! The one door: whoever wants an image says which, and how fresh, and is given one that is on the engine.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::build::{BuildOptions, BuildSource, Builds};
use super::credentials::{Login, RegistryAccess, Source};
use super::fetch::{Fetch, Naming};
use super::flights::Flights;
use super::patience::Patience;
use super::registry;
use super::registry_error::RegistryError;
use super::resolved::{Found, ImageOrigin, ResolvedImage};
use super::{ImageError, ImageReference};
use crate::catalog::{Catalog, ImageLock};
use crate::component::{Policy, Stale};
use crate::engine::{Engine, EngineError, ImageFacts, PullProgress};

/// How exactly `last_used` of a lock is kept.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What a keeper is told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeeperOptions {
    pub(crate) registries: RegistryAccess,
    pub(crate) builds: BuildOptions,
    /// For pulls, and for questions on which everything depends.
    pub(crate) patience: Patience,
    /// For questions without whose answer a copy can run.
    pub(crate) patience_with_copy: Patience,
    /// How long a pull may make no progress.
    pub(crate) stall_limit: Duration,
}

impl KeeperOptions {
    pub(crate) fn new(registries: RegistryAccess, builds: BuildOptions) -> Self {
        let pause = Duration::from_millis(500);
        let patience = Patience { tries_max: 5, pause, pause_max: Duration::from_secs(60) };
        Self {
            registries,
            builds,
            patience,
            patience_with_copy: Patience { tries_max: 3, pause, pause_max: Duration::from_secs(5) },
            // Between two words of an engine that unpacks a large layer on a slow disk.
            stall_limit: Duration::from_secs(300),
        }
    }
}

/// An image that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AskedImage {
    Registry { reference: ImageReference, policy: Policy, stale: Stale },
    Build { source: BuildSource, policy: Policy },
}

/// Keeps images of one engine as fresh as their policies ask. One per process, cheap to clone: those who want the same
/// image at the same time share its pull.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    pub(super) engine: Engine,
    pub(super) catalog: Catalog,
    pub(super) options: Arc<KeeperOptions>,
    pub(super) builds: Arc<Builds>,
    flights: Flights,
}

impl Keeper {
    pub(crate) fn new(engine: Engine, catalog: Catalog, options: KeeperOptions) -> Self {
        let builds = Arc::new(Builds::new(options.builds.clone()));
        Self { engine, catalog, options: Arc::new(options), builds, flights: Flights::default() }
    }

    /// Gives the image, fetched where that is needed. May be dropped: a pull goes on while others wait for it.
    pub(crate) async fn ensure(
        &self,
        asked: &AskedImage,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ResolvedImage, ImageError> {
        match asked {
            AskedImage::Registry { reference, policy, stale } => {
                let wanted = Wanted { reference, policy: *policy, stale: *stale };
                match (policy, reference.digest()) {
                    // A digest cannot move.
                    (Policy::Release, _) | (Policy::Master, Some(_)) => self.release(wanted, watch).await,
                    (Policy::Master, None) => self.master(wanted, watch).await,
                }
            }
            AskedImage::Build { source, policy } => {
                let mut say = |status| watch(PullProgress { status, ..PullProgress::default() });
                self.built(source, *policy, &mut say).await
            }
        }
    }
}

/// What is wanted of a registry's image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) reference: &'a ImageReference,
    pub(super) policy: Policy,
    pub(super) stale: Stale,
}

impl Wanted<'_> {
    pub(super) fn lock(&self, found: &Found, access: Option<String>) -> ImageLock {
        let now = Timestamp::now();
        ImageLock {
            reference: self.reference.complete(),
            policy: self.policy,
            digest: found.digest.clone(),
            image: found.id.clone(),
            access,
            resolved: now,
            last_used: now,
        }
    }

    pub(super) fn resolved(&self, found: Found, done: ImageOrigin) -> ResolvedImage {
        found.resolved(self.reference, self.policy, done)
    }
}

/// Who we are at the registry of an image.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) source: Source,
    pub(super) login: Login,
}

/// The steps that the policies share.
impl Keeper {
    pub(super) async fn source(&self, reference: &ImageReference) -> Result<Source, ImageError> {
        let source = self.options.registries.source(reference.registry()).await;
        source.map_err(|source| ImageError::Credentials { reference: reference.to_string(), source })
    }

    /// Fetches the credentials, which may mean to run a helper.
    pub(super) async fn identity(
        &self,
        reference: &ImageReference,
        source: Source,
    ) -> Result<Identity, ImageError> {
        let login = self.options.registries.login(reference.registry(), &source).await;
        let unknown = |source| ImageError::Credentials { reference: reference.to_string(), source };
        Ok(Identity { login: login.map_err(unknown)?, source })
    }

    pub(super) async fn inspect(
        &self,
        reference: &ImageReference,
        image: &str,
    ) -> Result<Option<Found>, ImageError> {
        let facts = self.engine.inspect_image(image).await;
        let facts = facts.map_err(|source| engine_trouble(&reference.to_string(), source))?;
        facts.map(|facts| Found::new(reference, facts)).transpose()
    }

    /// The image of a lock, where the engine has it.
    pub(super) async fn held(
        &self,
        reference: &ImageReference,
        lock: &ImageLock,
    ) -> Result<Option<Found>, ImageError> {
        let by_id = self.inspect(reference, lock.image.as_str()).await?;
        let found = match (by_id, &lock.digest) {
            (None, Some(digest)) => self.inspect(reference, &reference.at(digest)).await?,
            (found, _) => found,
        };
        // The engine forgets under which digest it had an image whose names were all taken off.
        Ok(found.map(|found| found.with_digest(lock.digest.clone())))
    }

    /// Asks the registry for the digest of a tag, or whether it has a digest; again and again while `is_worth` it.
    pub(super) async fn ask(
        &self,
        reference: &ImageReference,
        tag_or_digest: &str,
        login: &Login,
        patience: Patience,
        is_worth: fn(&RegistryError) -> bool,
    ) -> Result<String, RegistryError> {
        let mut tries = 0;
        loop {
            let error = match registry::digest_of(reference, tag_or_digest, login).await {
                Ok(digest) => return Ok(digest),
                Err(error) => error,
            };
            tries += 1;
            let pause = patience.pause_after(tries, error.retry_after());
            match pause.filter(|_pause| is_worth(&error)) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Pulls by digest where it is known, else by tag; shared by all who want the same.
    pub(super) async fn pull(
        &self,
        reference: &ImageReference,
        digest: Option<&str>,
        identity: &Identity,
        naming: Naming,
        watch: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<Found, ImageError> {
        let target = digest.map_or_else(|| reference.exact(), |digest| reference.at(digest));
        let fetch = Fetch {
            engine: self.engine.clone(),
            reference: reference.clone(),
            target: target.clone(),
            identity: identity.clone(),
            patience: self.options.patience,
            stall_limit: self.options.stall_limit,
            naming,
        };
        let landed = self.flights.join(&target, |progress| fetch.run(progress), watch).await;
        let facts: ImageFacts =
            landed.unwrap_or_else(|| Err(ImageError::BrokenOff { reference: reference.to_string() }))?;
        Ok(Found::new(reference, facts)?.with_digest(digest.map(str::to_owned)))
    }

    /// Notes that a lock was used, now and then.
    pub(super) async fn note_use(&self, lock: &ImageLock) -> Result<(), ImageError> {
        if Timestamp::now().duration_since(lock.last_used) >= USE_NOTED_EVERY {
            self.catalog.use_image_lock(&lock.reference, lock.policy).await?;
        }
        Ok(())
    }
}

pub(super) fn engine_trouble(reference: &str, source: EngineError) -> ImageError {
    ImageError::Engine { reference: reference.to_owned(), source: Arc::new(source) }
}

/// What a registry's answer means for the image that was wanted.
pub(super) fn registry_trouble(
    reference: &ImageReference,
    source: &Source,
    error: RegistryError,
) -> ImageError {
    let registry = reference.registry().to_owned();
    let reference = reference.to_string();
    match error {
        RegistryError::Missing { .. } => ImageError::NotFound { reference, registry },
        RegistryError::Refused { .. } => ImageError::Denied { reference, registry, why: source.words() },
        RegistryError::Unreachable { .. } | RegistryError::Silent { .. } | RegistryError::Busy { .. } => {
            ImageError::Registry { reference, source: error }
        }
        RegistryError::Untrusted { .. } | RegistryError::Certificates { .. } | RegistryError::Odd { .. } => {
            ImageError::Unfit { reference, source: error }
        }
    }
}
