//! What is to be built, as a person names it.

use std::path::PathBuf;

use crate::component::{BuildContext, GitAddress, Stale};

/// What an image is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildSource {
    pub(crate) context: BuildContext,
    /// Path of the Dockerfile below the context's folder.
    pub(crate) dockerfile: String,
    pub(crate) args: Vec<(String, String)>,
    /// The folder of the spec, to which a local context is relative.
    pub(crate) spec_dir: Option<PathBuf>,
    pub(crate) stale: Stale,
}

/// The longest name that a repository of built images gets.
const NAME_LENGTH_MAX: usize = 60;

impl BuildSource {
    /// `https://example.com/a.git#main:folder`, as Docker names a git context; a local folder by its path.
    pub(crate) fn reference(&self) -> String {
        match &self.context {
            BuildContext::Git { url, reference: None, folder: None } => url.clone(),
            BuildContext::Git { url, reference, folder } => {
                let reference = reference.as_deref().unwrap_or("HEAD");
                let folder = folder.as_ref().map(|folder| format!(":{folder}")).unwrap_or_default();
                format!("{url}#{reference}{folder}")
            }
            BuildContext::Folder { path } => path.clone(),
        }
    }

    /// What a person calls it, as the last part of an image's name: `a-z`, digits and single dashes.
    pub(super) fn name(&self) -> String {
        let last = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or(path).to_owned();
        let name = match &self.context {
            BuildContext::Git { folder: Some(folder), .. } => last(folder),
            BuildContext::Git { url, folder: None, .. } => {
                url.parse().map(|address: GitAddress| address.name().to_owned()).unwrap_or_default()
            }
            BuildContext::Folder { path } => last(path),
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let plain: String = name.chars().map(plain).collect();
        let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
        let name: String = words.join("-").chars().take(NAME_LENGTH_MAX).collect();
        let name = name.trim_end_matches('-');
        if name.is_empty() { "image".to_owned() } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        git("https://example.com/a/Top_Customers.git", None, None),
        "https://example.com/a/Top_Customers.git",
        "top-customers"
    )]
    #[case(git("git@example.com:x", Some("v1"), None), "git@example.com:x#v1", "x")]
    #[case(git("https://example.com/a", None, Some("b/c")), "https://example.com/a#HEAD:b/c", "c")]
    #[case(BuildContext::Folder { path: "../".into() }, "../", "image")]
    fn a_source_has_a_reference_and_a_name(
        #[case] context: BuildContext,
        #[case] reference: &str,
        #[case] name: &str,
    ) {
        let source = BuildSource {
            context,
            dockerfile: "Dockerfile".into(),
            args: Vec::new(),
            spec_dir: None,
            stale: Stale::Allow,
        };
        assert_eq!((source.reference().as_str(), source.name().as_str()), (reference, name));
    }

    fn git(url: &str, reference: Option<&str>, folder: Option<&str>) -> BuildContext {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        BuildContext::Git { url: url.into(), reference: owned(reference), folder: owned(folder) }
    }
}
