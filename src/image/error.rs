//! Why an image cannot be had.

use std::sync::Arc;

use super::build::BuildError;
use super::docker_config::DockerConfigError;
use super::registry_error::RegistryError;
use crate::catalog::CatalogError;
use crate::engine::EngineError;

/// The variants differ in what helps: another name, other credentials, or time. Cloned, because all jobs that wait for
/// one pull are told the same.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the registry {registry} has no image {reference}; check its name and tag, or push it there")]
    NotFound { reference: String, registry: String },
    /// `why`: whose credentials they were, or that there are none.
    #[error(
        "the registry {registry} refuses the image {reference}: {why}; set `registries` in longshore.yaml, or use \
         `docker login {registry}`"
    )]
    Denied { reference: String, registry: String, why: String },
    #[error("who we are at the registry of the image {reference} cannot be said")]
    Credentials { reference: String, source: DockerConfigError },
    #[error("the image {reference} cannot be fetched now")]
    Engine { reference: String, source: Arc<EngineError> },
    #[error("the image {reference} cannot be fetched now")]
    Registry { reference: String, source: RegistryError },
    /// Time does not help: the registry is set up in another way than we are.
    #[error("the image {reference} cannot be fetched: {source}")]
    Unfit { reference: String, source: RegistryError },
    #[error(
        "whether the image {reference} has moved cannot be learned now, and its component demands a fresh one \
         (image.stale: forbid)"
    )]
    Stale { reference: String, source: RegistryError },
    #[error(
        "whether the source {reference} has moved cannot be learned now, and its component demands a fresh image \
         (image.stale: forbid): {why}"
    )]
    StaleBuild { reference: String, why: String },
    #[error("the engine said that it pulled the image {reference}, yet has no such image")]
    Vanished { reference: String },
    #[error("the pull of the image {reference} broke off")]
    BrokenOff { reference: String },
    #[error("the engine gave {id:?} as the id of the image {reference}")]
    OddId { reference: String, id: String },
    #[error(transparent)]
    Build(#[from] Arc<BuildError>),
    #[error(transparent)]
    Catalog(Arc<CatalogError>),
}

impl From<CatalogError> for ImageError {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(Arc::new(error))
    }
}

/// What kind of refusal a pull met. Registries and engines agree on no codes, only on words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PullTrouble {
    NotFound,
    Denied,
    /// Nothing but room on the engine's disk helps.
    DiskFull,
    /// The engine itself is not there.
    NoEngine,
    /// Another try may help.
    Passing,
}

pub(super) fn trouble_of(error: &EngineError) -> PullTrouble {
    if error.is_disk_full() {
        return PullTrouble::DiskFull;
    }
    match error {
        EngineError::Unreachable { .. } | EngineError::Forbidden { .. } | EngineError::BadAddress { .. } => {
            PullTrouble::NoEngine
        }
        EngineError::Silent { .. } | EngineError::Broken { .. } | EngineError::ForeignNetwork { .. } => {
            PullTrouble::Passing
        }
        EngineError::Refused { status, message, .. } => {
            let words = message.to_ascii_lowercase();
            let says = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
            // A missing repository is "denied" too on registries that hide what they have, and says so itself.
            if matches!(status, 401 | 403)
                || says(&["denied", "unauthorized", "authentication required", "no basic auth"])
            {
                PullTrouble::Denied
            } else if *status == 404
                || says(&["manifest unknown", "not found", "name unknown", "no matching manifest"])
            {
                PullTrouble::NotFound
            } else {
                PullTrouble::Passing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(404, "manifest for x/y:1 not found: manifest unknown: manifest unknown", PullTrouble::NotFound)]
    #[case(
        404,
        "pull access denied for x/y, repository does not exist or may require 'docker login'",
        PullTrouble::Denied
    )]
    #[case(
        500,
        "Head \"https://r.example/v2/y/manifests/1\": unauthorized: authentication required",
        PullTrouble::Denied
    )]
    #[case(
        500,
        "Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host",
        PullTrouble::Passing
    )]
    #[case(500, "Get \"https://r.example/v2/\": net/http: TLS handshake timeout", PullTrouble::Passing)]
    #[case(200, "no matching manifest for linux/arm64 in the manifest list entries", PullTrouble::NotFound)]
    #[case(200, "write /var/lib/docker/tmp/x: no space left on device", PullTrouble::DiskFull)]
    #[case(500, "toomanyrequests: You have reached your pull rate limit", PullTrouble::Passing)]
    fn a_failed_pull_is_sorted_by_what_would_help(
        #[case] status: u16,
        #[case] words: &str,
        #[case] expected: PullTrouble,
    ) {
        let error = EngineError::Refused {
            action: "pull",
            subject: "image x/y:1".into(),
            status,
            message: words.into(),
        };
        assert_eq!(trouble_of(&error), expected);
    }
}
