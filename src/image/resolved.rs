//! The image that a job runs, and how it came to be there.

use super::{ImageError, ImageReference};
use crate::component::Policy;
use crate::engine::ImageFacts;
use crate::job::ImageId;

/// How the image came to be on the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageOrigin {
    Present,
    Pulled,
    /// It was there, and whether it has moved could not be learned.
    Stale,
    Built,
}

impl ImageOrigin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Pulled => "pulled",
            Self::Stale => "stale",
            Self::Built => "built",
        }
    }
}

/// An image that is on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedImage {
    /// As it was asked for.
    pub reference: String,
    pub id: ImageId,
    /// `sha256:…` as its registry knows it; an image that never saw a registry has none.
    pub digest: Option<String>,
    pub policy: Policy,
    pub done: ImageOrigin,
    /// Entrypoint and command joined by spaces, for messages only.
    pub entrypoint: String,
    /// Kept with the job as warning events.
    pub warnings: Vec<String>,
}

impl ResolvedImage {
    /// Whether nothing was done for it: kept in the events, of no interest to whoever watches.
    pub(crate) fn is_unremarkable(&self) -> bool {
        self.done == ImageOrigin::Present
    }

    /// Which image it is and what was done, in one line for people.
    pub(crate) fn words(&self) -> String {
        let digest = self.digest.as_ref().map(|digest| format!(", digest {digest}")).unwrap_or_default();
        let (policy, done) = (self.policy.as_str(), self.done.as_str());
        format!("image {}: {}{digest}, policy {policy}, {done}", self.reference, self.id)
    }
}

/// What the engine knows of an image, as the image of a reference.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) id: ImageId,
    /// The digest under which the reference's own repository knows it.
    pub(super) digest: Option<String>,
    entrypoint: String,
}

impl Found {
    pub(super) fn new(reference: &ImageReference, facts: ImageFacts) -> Result<Self, ImageError> {
        let odd_id = |_id_error| ImageError::OddId { reference: reference.to_string(), id: facts.id.clone() };
        Ok(Self {
            id: ImageId::parse(facts.id.clone()).map_err(odd_id)?,
            digest: digest(reference, &facts),
            entrypoint: facts.entrypoint.into_iter().chain(facts.command).collect::<Vec<_>>().join(" "),
        })
    }

    /// The same image by a digest that is known from elsewhere, where one is.
    pub(super) fn with_digest(self, digest: Option<String>) -> Self {
        Self { digest: digest.or(self.digest), ..self }
    }

    pub(super) fn resolved(
        self,
        reference: &ImageReference,
        policy: Policy,
        done: ImageOrigin,
    ) -> ResolvedImage {
        ResolvedImage {
            reference: reference.to_string(),
            id: self.id,
            digest: self.digest,
            policy,
            done,
            entrypoint: self.entrypoint,
            warnings: Vec::new(),
        }
    }
}

/// Several registries may know one image under several digests; only this repository's counts.
fn digest(reference: &ImageReference, facts: &ImageFacts) -> Option<String> {
    let name = reference.name();
    let digest_of = |known: &String| {
        let (repository, digest) = known.split_once('@')?;
        // The engine shows Docker Hub's images by their short names.
        let hub = name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/"));
        let short = hub.unwrap_or(&name);
        let shortest = short.strip_prefix("library/").unwrap_or(short);
        [&name, short, shortest].contains(&repository).then(|| digest.to_owned())
    };
    facts.repository_digests.iter().find_map(digest_of)
}
