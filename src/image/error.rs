//! Why an image cannot be had.

use crate::engine::EngineError;

/// The variants differ in what helps: another name, other credentials, or time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the image {reference} does not exist: {reason}")]
    NotFound { reference: String, reason: String },
    #[error("the registry refuses access to the image {reference}: {reason}")]
    Denied { reference: String, reason: String },
    #[error("the image {reference} cannot be fetched now")]
    Unavailable { reference: String, source: EngineError },
    #[error("the engine said that it pulled the image {reference}, yet has no such image")]
    Vanished { reference: String },
    #[error("the engine gave {id:?} as the id of the image {reference}")]
    OddId { reference: String, id: String },
}

impl ImageError {
    /// Sorts what stopped a pull. Registries and engines agree on no codes, only on these words.
    pub(super) fn from_pull(reference: &str, error: EngineError) -> Self {
        let reference = reference.to_owned();
        if error.is_disk_full() {
            return Self::Unavailable { reference, source: error };
        }
        if let EngineError::Refused { status, message, .. } = &error {
            let words = message.to_ascii_lowercase();
            let says = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
            let reason = message.clone();
            // A missing repository is "denied" too on registries that hide what they have, and says so itself.
            if matches!(status, 401 | 403)
                || says(&["denied", "unauthorized", "authentication required", "no basic auth"])
            {
                return Self::Denied { reference, reason };
            }
            if *status == 404
                || says(&["manifest unknown", "not found", "name unknown", "no matching manifest"])
            {
                return Self::NotFound { reference, reason };
            }
        }
        Self::Unavailable { reference, source: error }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(404, "manifest for x/y:1 not found: manifest unknown: manifest unknown", "not found")]
    #[case(
        404,
        "pull access denied for x/y, repository does not exist or may require 'docker login'",
        "denied"
    )]
    #[case(
        500,
        "Head \"https://r.example/v2/y/manifests/1\": unauthorized: authentication required",
        "denied"
    )]
    #[case(500, "Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host", "unavailable")]
    #[case(500, "Get \"https://r.example/v2/\": net/http: TLS handshake timeout", "unavailable")]
    #[case(200, "no matching manifest for linux/arm64 in the manifest list entries", "not found")]
    #[case(200, "write /var/lib/docker/tmp/x: no space left on device", "unavailable")]
    #[case(500, "toomanyrequests: You have reached your pull rate limit", "unavailable")]
    fn a_failed_pull_is_sorted_by_what_would_help(
        #[case] status: u16,
        #[case] words: &str,
        #[case] kind: &str,
    ) {
        let error = EngineError::Refused {
            action: "pull",
            subject: "image x/y:1".into(),
            status,
            message: words.into(),
        };
        let sorted = match ImageError::from_pull("x/y:1", error) {
            ImageError::NotFound { .. } => "not found",
            ImageError::Denied { .. } => "denied",
            ImageError::Unavailable { .. } => "unavailable",
            ImageError::Vanished { .. } | ImageError::OddId { .. } => "else",
        };
        assert_eq!(sorted, kind);
    }
}
