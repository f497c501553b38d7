//! What makes two builds the same.

use sha2::{Digest, Sha256};

use super::BuildSource;
use crate::component::BuildContext;

/// Changes when a build of the same source should give another image than before.
const SHAPE: &str = "longshore build 1";

/// A source at one version: all that is known before anything is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin(String);

impl Origin {
    /// `version` is the commit, or the hash of a folder's content.
    pub(super) fn new(source: &BuildSource, version: &str) -> Self {
        let mut hash = Texts::new(SHAPE);
        match &source.context {
            BuildContext::Git { url, folder, reference: _ } => {
                hash.add(url);
                hash.add(folder.as_deref().unwrap_or_default());
            }
            // The content says it all, wherever it lies.
            BuildContext::Folder { .. } => hash.add("folder"),
        }
        hash.add(version);
        hash.add(&source.dockerfile);
        let mut args: Vec<_> = source.args.iter().collect();
        args.sort();
        for (name, value) in args {
            hash.add(name);
            hash.add(value);
        }
        Self(hash.finish())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A base image and the id it has on the engine.
pub(super) type Base = (String, String);

/// The key of a build: its origin on these base images. Any change of the Dockerfile is one of the origin's version.
pub(super) fn key(origin: &Origin, bases: &[Base]) -> String {
    let mut hash = Texts::new(origin.as_str());
    for (reference, id) in bases {
        hash.add(reference);
        hash.add(id);
    }
    hash.finish()
}

/// Hashes texts so that no two lists of texts are alike.
struct Texts(Sha256);

impl Texts {
    fn new(first: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.add(first);
        hash
    }

    fn add(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Stale;

    fn source(folder: Option<&str>, args: &[(&str, &str)]) -> BuildSource {
        BuildSource {
            context: BuildContext::Git {
                url: "https://example.com/a".into(),
                reference: None,
                folder: folder.map(str::to_owned),
            },
            dockerfile: "Dockerfile".into(),
            args: args.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            spec_dir: None,
            stale: Stale::Allow,
        }
    }

    #[test]
    fn every_part_of_a_build_is_in_its_key() {
        let bases = [("debian".to_owned(), "sha256:1".to_owned())];
        let of = |source: &BuildSource, version: &str| key(&Origin::new(source, version), &bases);
        let plain = of(&source(None, &[("a", "1"), ("b", "2")]), "c1");
        assert_eq!(plain, of(&source(None, &[("b", "2"), ("a", "1")]), "c1"), "the order of arguments");
        let mut branch = source(None, &[("a", "1"), ("b", "2")]);
        if let BuildContext::Git { reference, .. } = &mut branch.context {
            *reference = Some("main".into());
        }
        assert_eq!(plain, of(&branch, "c1"), "two names of one commit");
        let other_file =
            BuildSource { dockerfile: "Other".into(), ..source(None, &[("a", "1"), ("b", "2")]) };
        let others = [
            of(&source(None, &[("a", "1"), ("b", "2")]), "c2"),
            of(&source(Some("x"), &[("a", "1"), ("b", "2")]), "c1"),
            of(&source(None, &[("a", "1b"), ("", "2")]), "c1"),
            of(&other_file, "c1"),
            key(
                &Origin::new(&source(None, &[("a", "1"), ("b", "2")]), "c1"),
                &[("debian".into(), "sha256:2".into())],
            ),
        ];
        assert!(others.iter().all(|other| *other != plain), "{others:?}");
    }
}
