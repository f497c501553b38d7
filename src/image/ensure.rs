//! Making sure that the image is on the engine, and saying which one it is.

use super::{ImageError, ImageReference};
use crate::component::Policy;
use crate::engine::{Engine, EngineError, ImageFacts, PullProgress};
use crate::job::ImageId;

/// How the image came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageOrigin {
    Present,
    Pulled,
    /// It was there, and whether it has moved could not be learned.
    Stale,
    Built,
}

/// An image that is on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedImage {
    pub reference: String,
    pub id: ImageId,
    /// `sha256:…` as its registry knows it; an image that never saw a registry has none.
    pub digest: Option<String>,
    pub policy: Policy,
    pub done: ImageOrigin,
    /// Entrypoint and command joined by spaces, for messages only.
    pub entrypoint: String,
}

/// Finds the image on the engine, else pulls it.
pub(crate) async fn ensure(
    engine: &Engine,
    reference: &ImageReference,
    policy: Policy,
    on_progress: &mut (dyn FnMut(PullProgress) + Send),
) -> Result<ResolvedImage, ImageError> {
    let unavailable =
        |source: EngineError| ImageError::Unavailable { reference: reference.to_string(), source };
    let exact = reference.exact();
    if let Some(facts) = engine.inspect_image(&exact).await.map_err(unavailable)? {
        return resolved(reference, policy, ImageOrigin::Present, facts);
    }
    let mut pull = engine.pull_image(&exact);
    while let Some(step) =
        pull.next().await.map_err(|error| ImageError::from_pull(&reference.to_string(), error))?
    {
        on_progress(step);
    }
    // A pull that ends without an error is no proof: only the image itself is.
    match engine.inspect_image(&exact).await.map_err(unavailable)? {
        Some(facts) => resolved(reference, policy, ImageOrigin::Pulled, facts),
        None => Err(ImageError::Vanished { reference: reference.to_string() }),
    }
}

fn resolved(
    reference: &ImageReference,
    policy: Policy,
    done: ImageOrigin,
    facts: ImageFacts,
) -> Result<ResolvedImage, ImageError> {
    let name = reference.name();
    let digest_of = |known: &String| {
        let (repository, digest) = known.split_once('@')?;
        // The engine shows Docker Hub's images by their short names.
        let same = repository == name
            || name.strip_prefix("docker.io/").is_some_and(|short| {
                repository == short
                    || short.strip_prefix("library/").is_some_and(|shorter| repository == shorter)
            });
        same.then(|| digest.to_owned())
    };
    // Several registries may know one image under several digests; only this repository's counts.
    let digest = facts.repository_digests.iter().find_map(digest_of);
    let odd_id = |_id_error| ImageError::OddId { reference: reference.to_string(), id: facts.id.clone() };
    Ok(ResolvedImage {
        id: ImageId::parse(facts.id.clone()).map_err(odd_id)?,
        digest,
        policy,
        done,
        entrypoint: facts.entrypoint.into_iter().chain(facts.command).collect::<Vec<_>>().join(" "),
        reference: reference.to_string(),
    })
}
