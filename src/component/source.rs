//! Where a component's image comes from.

use super::build::read_build;
use super::document::Item;

/// An image to be pulled or to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImageSource {
    Registry {
        /// Repository without tag and digest.
        uri: String,
        tag: Option<String>,
        /// `sha256:` and 64 hexadecimal digits; wins over the tag.
        digest: Option<String>,
        policy: Policy,
        stale: Stale,
    },
    Build {
        context: BuildContext,
        /// Path of the Dockerfile below the context's folder.
        dockerfile: String,
        args: Vec<(String, String)>,
        policy: Policy,
        stale: Stale,
    },
}

/// What an image is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BuildContext {
    Git {
        url: String,
        /// Branch, tag or commit; the repository's own default when not said.
        reference: Option<String>,
        /// Folder in the repository.
        folder: Option<String>,
    },
    /// A local folder, relative to the spec's.
    Folder { path: String },
}

/// How fresh an image must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What is here is good.
    Release,
    /// Ask on every run whether it moved.
    Master,
}

impl Policy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Master => "master",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Release, Self::Master].into_iter().find(|policy| policy.as_str() == text)
    }
}

/// What becomes of a run under the policy master while nobody can say whether the image moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    /// The copy that is here runs, with a warning.
    Allow,
    Forbid,
}

/// `image`: exactly one of `uri` and `build`.
pub(super) fn read_image(item: &Item<'_>) -> Option<ImageSource> {
    let mut fields = item.fields()?;
    let words = [Policy::Release, Policy::Master].map(|policy| (policy.as_str(), policy));
    let policy = fields.get("policy").and_then(|item| item.one_of(&words)).unwrap_or(Policy::Release);
    let words = [("allow", Stale::Allow), ("forbid", Stale::Forbid)];
    let stale = fields.get("stale").and_then(|item| item.one_of(&words)).unwrap_or(Stale::Allow);
    let uri = fields.get("uri");
    let build = fields.get("build");
    let tag = fields.get("tag");
    let digest = fields.get("digest");
    fields.finish();
    match (uri, build) {
        (Some(uri), None) => {
            let tag = tag.and_then(|item| read_tag(&item));
            let digest = digest.and_then(|item| read_digest(&item));
            Some(ImageSource::Registry { uri: read_uri(&uri)?, tag, digest, policy, stale })
        }
        (None, Some(build)) => {
            for item in [tag, digest].into_iter().flatten() {
                item.complain_with(
                    "an image that is built has no tag or digest",
                    "name the source with `build.ref`",
                );
            }
            read_build(&build, policy, stale)
        }
        (None, None) => {
            item.complain_with("`uri` or `build` is missing", "say where the image comes from");
            None
        }
        (Some(_uri), Some(build)) => {
            build.complain("an image has either `uri` or `build`, not both");
            None
        }
    }
}

fn read_uri(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let last = text.rsplit('/').next().unwrap_or(text);
    if text.is_empty() || text.contains(char::is_whitespace) || text.contains("://") {
        item.complain_with("not an image repository", "e.g. registry.example.com/acme/top-customers");
        return None;
    }
    if text.contains('@') || last.contains(':') {
        item.complain_with(
            "the repository must not bear a tag or digest",
            "use `image.tag` or `image.digest`",
        );
        return None;
    }
    // A registry's name may have capital letters, what follows it may not.
    let path = text.split_once('/').filter(|(first, _)| is_registry(first)).map_or(text, |(_, path)| path);
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if !path.split('/').all(|part| !part.is_empty() && part.chars().all(is_name)) {
        item.complain_with(
            "not an image repository",
            "its path has a-z, 0-9, `.`, `_` and `-`, e.g. registry.example.com/acme/top-customers",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Docker's own test whether the first part of a name is a registry rather than a user.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase())
}

pub(crate) fn read_tag(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.is_empty() || text.len() > 128 || text.starts_with(['.', '-']) || !text.chars().all(legal) {
        item.complain("not an image tag: use 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`");
        return None;
    }
    Some(text.to_owned())
}

fn read_digest(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let is_digest = text
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()));
    if !is_digest {
        item.complain("not a digest: expected `sha256:` and 64 hexadecimal digits");
        return None;
    }
    Some(text.to_lowercase())
}
