//! Image references by Docker's rules: `[registry[:port]/]path[:tag][@digest]`.

use std::fmt;
use std::str::FromStr;

/// The longest name Docker takes, registry and path together.
const NAME_LENGTH_MAX: usize = 255;
const TAG_LENGTH_MAX: usize = 128;
/// The registry of names that bear none.
pub(super) const DOCKER_HUB: &str = "docker.io";

/// A reference as it was written: printing it gives the same text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ImageReference {
    registry: Option<String>,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// The text and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an image reference: {rule}")]
pub(crate) struct ReferenceError {
    pub text: String,
    pub rule: &'static str,
}

impl ImageReference {
    /// Registry and path, without tag and digest.
    pub(crate) fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.path),
            None => self.path.clone(),
        }
    }

    /// The registry as it is written, `docker.io` where none is.
    pub(crate) fn registry(&self) -> &str {
        match self.registry.as_deref() {
            None | Some("index.docker.io") => DOCKER_HUB,
            Some(registry) => registry,
        }
    }

    /// The path as the registry knows it: Docker Hub keeps names without a user below `library/`.
    pub(crate) fn repository(&self) -> String {
        if self.registry() == DOCKER_HUB && !self.path.contains('/') {
            format!("library/{}", self.path)
        } else {
            self.path.clone()
        }
    }

    /// The tag; `latest` where neither tag nor digest is written, `None` where only a digest is.
    pub(crate) fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The reference with its default tag: what locks are kept under.
    pub(crate) fn complete(&self) -> String {
        match (&self.tag, &self.digest) {
            (None, None) => self.exact(),
            (Some(_), _) | (None, Some(_)) => self.to_string(),
        }
    }

    /// The image of this repository with that digest.
    pub(crate) fn at(&self, digest: &str) -> String {
        format!("{}@{digest}", self.name())
    }

    /// Names exactly one image: the digest where there is one, else a tag. A name alone would pull every tag.
    pub(crate) fn exact(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.name()),
            (None, Some(tag)) => format!("{}:{tag}", self.name()),
            (None, None) => format!("{}:latest", self.name()),
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|rule| ReferenceError { text: text.into(), rule })
    }
}

fn parse(text: &str) -> Result<ImageReference, &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (rest, None),
    };
    if name.is_empty() {
        return Err("a name is missing");
    }
    if name.len() > NAME_LENGTH_MAX {
        return Err("a name has at most 255 characters");
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        Some(_) | None => (None, name),
    };
    if registry.is_some_and(|registry| !registry_is_valid(registry)) {
        return Err("a registry is a host name or address with an optional port");
    }
    if !path.split('/').all(component_is_valid) {
        return Err("the path uses a-z and 0-9, separated by `.`, `_`, `__`, `-` or `/`");
    }
    if registry.is_none() && digest.is_none() && tag.is_none() && path.len() == 64 && path.chars().all(is_hex)
    {
        return Err("64 hexadecimal digits are an image id, not a name");
    }
    if tag.is_some_and(|tag| !tag_is_valid(tag)) {
        return Err(
            "a tag has 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`, and begins with neither `.` nor `-`",
        );
    }
    if digest.is_some_and(|digest| !digest_is_valid(digest)) {
        return Err("a digest is `sha256:` and 64 hexadecimal digits, or another algorithm with at least 32");
    }
    Ok(ImageReference {
        registry: registry.map(Into::into),
        path: path.into(),
        tag: tag.map(Into::into),
        digest: digest.map(Into::into),
    })
}

/// Docker's own test whether the first part of a name is a registry rather than a user.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase())
}

fn registry_is_valid(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        // The colons of `[::1]` are not a port's.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (registry, None),
    };
    let port_fits =
        port.is_none_or(|port| port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let host_fits = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
        }),
    };
    port_fits && host_fits
}

/// `[a-z0-9]+` runs joined by one `.`, one or two `_`, or any number of `-`.
fn component_is_valid(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut separators = component.split(is_word).filter(|separator| !separator.is_empty());
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && separators
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.chars().all(|c| c == '-'))
}

fn tag_is_valid(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= TAG_LENGTH_MAX
        && tag.starts_with(is_word)
        && tag.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

pub(super) fn digest_is_valid(digest: &str) -> bool {
    let Some((algorithm, digits)) = digest.split_once(':') else {
        return false;
    };
    let algorithm_fits = algorithm.split(['+', '.', '-', '_']).all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let length_fits = if algorithm == "sha256" { digits.len() == 64 } else { digits.len() >= 32 };
    algorithm_fits && length_fits && digits.chars().all(is_hex)
}

fn is_hex(c: char) -> bool {
    matches!(c, '0'..='9' | 'a'..='f')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parts(text: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        let reference: ImageReference = text.parse().unwrap();
        (reference.registry, reference.path, reference.tag, reference.digest)
    }

    #[rstest]
    #[case("debian", (None, "debian", None))]
    #[case("debian:12", (None, "debian", Some("12")))]
    #[case("keboola/processor-iconv:4.0.3", (None, "keboola/processor-iconv", Some("4.0.3")))]
    #[case("localhost/x", (Some("localhost"), "x", None))]
    #[case("localhost:5000/x", (Some("localhost:5000"), "x", None))]
    #[case("r.example.com:5000/a/b__c/d---e:v1", (Some("r.example.com:5000"), "a/b__c/d---e", Some("v1")))]
    #[case("[::1]:5000/x:y", (Some("[::1]:5000"), "x", Some("y")))]
    #[case("Registry/x", (Some("Registry"), "x", None))]
    fn a_reference_falls_into_its_parts(
        #[case] text: &str,
        #[case] (registry, path, tag): (Option<&str>, &str, Option<&str>),
    ) {
        let owned = |part: Option<&str>| part.map(ToOwned::to_owned);
        assert_eq!(parts(text), (owned(registry), path.to_owned(), owned(tag), None));
        let pinned = format!("{text}@{DIGEST}");
        assert_eq!(parts(&pinned), (owned(registry), path.to_owned(), owned(tag), owned(Some(DIGEST))));
    }

    #[rstest]
    #[case("")]
    #[case(":tag")]
    #[case("Debian")]
    #[case("a//b")]
    #[case("a/b/")]
    #[case("/a")]
    #[case("a..b")]
    #[case("a___b")]
    #[case("-a")]
    #[case("a:")]
    #[case("a:.x")]
    #[case("a b")]
    #[case("r.example:port/x")]
    #[case("r.example:99999/x")]
    #[case("-r.example/x")]
    #[case("a@sha256:12")]
    #[case("a@")]
    #[case("https://r.example/x")]
    #[case("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    fn what_docker_refuses_is_refused_with_a_rule(#[case] text: &str) {
        let error = text.parse::<ImageReference>().unwrap_err();
        assert_eq!(error.text, text);
        assert!(!error.rule.is_empty());
    }

    #[test]
    fn the_exact_form_never_asks_for_all_tags() {
        let exact = |text: &str| text.parse::<ImageReference>().unwrap().exact();
        assert_eq!(exact("debian"), "debian:latest");
        assert_eq!(exact("debian:12"), "debian:12");
        assert_eq!(exact(&format!("debian:12@{DIGEST}")), format!("debian@{DIGEST}"));
    }

    #[rstest]
    #[case("debian", "docker.io", "library/debian", Some("latest"), "debian:latest")]
    #[case(
        "index.docker.io/debian:12",
        "docker.io",
        "library/debian",
        Some("12"),
        "index.docker.io/debian:12"
    )]
    #[case("keboola/x:1", "docker.io", "keboola/x", Some("1"), "keboola/x:1")]
    #[case("127.0.0.1:5000/x", "127.0.0.1:5000", "x", Some("latest"), "127.0.0.1:5000/x:latest")]
    fn a_registry_is_asked_by_its_own_names(
        #[case] text: &str,
        #[case] registry: &str,
        #[case] repository: &str,
        #[case] tag: Option<&str>,
        #[case] complete: &str,
    ) {
        let reference: ImageReference = text.parse().unwrap();
        let found = (reference.registry(), reference.repository(), reference.tag(), reference.complete());
        assert_eq!(found, (registry, repository.to_owned(), tag, complete.to_owned()));
        let pinned: ImageReference = format!("r.example/x@{DIGEST}").parse().unwrap();
        assert_eq!((pinned.tag(), pinned.digest()), (None, Some(DIGEST)));
    }

    proptest! {
        #[test]
        fn printing_a_reference_gives_the_text_it_was_read_from(
            text in r"(([a-z0-9]{1,8}\.){1,3}[a-z]{2,4}(:[1-9][0-9]{1,3})?/)?[a-z0-9]{1,9}((_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,9}(\.[a-z0-9]{1,5}){0,2}){0,3}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?(@sha256:[0-9a-f]{64})?"
        ) {
            prop_assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_read_or_refused_without_harm(text in r"[a-zA-Z0-9_.:/@\[\]-]{0,60}") {
            if let Ok(reference) = text.parse::<ImageReference>() {
                prop_assert_eq!(reference.to_string(), text);
                prop_assert!(reference.exact().parse::<ImageReference>().is_ok());
            }
        }
    }
}
