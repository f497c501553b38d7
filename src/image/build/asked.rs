//! A source at one version: finding its image on the engine, and having the engine build it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key::{self, Base, Origin};
use super::log::BuildLog;
use super::{BuildError, BuildSource, bases};
use crate::component::GitAddress;
use crate::engine::{EngineError, LabelledImage, NewBuild};
use crate::image::Keeper;
use crate::job::ImageId;

/// A build that compiles a large library takes long; one that hangs takes for ever.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// All built images are called `longshore-build/<name>:<key>`.
const REPOSITORY: &str = "longshore-build";
/// Digits of the key in the tag: enough to be the only one.
const TAG_DIGITS: usize = 32;

/// To find an image by; the engine searches labels by their whole value.
const ORIGIN_LABEL: &str = "longshore.build.origin";
/// For people who wonder where an image is from.
const SOURCE_LABEL: &str = "longshore.build.source";
/// The rest in one, as every label is a step of the build that takes its time.
const FACTS_LABEL: &str = "longshore.build.facts";

/// An image that was built, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) id: ImageId,
    /// `longshore-build/<name>:<key>`.
    pub(crate) name: String,
    /// Of a repository.
    pub(crate) commit: Option<String>,
    /// Just now.
    pub(crate) is_new: bool,
    /// Why the repository could not be asked, where the commit is the one it had before.
    pub(crate) stale: Option<String>,
}

/// A source whose version is known.
pub(super) struct Asked<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) source: &'a BuildSource,
    pub(super) origin: Origin,
    pub(super) version: Version,
}

/// What an image says of itself, in a label.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    /// The commit, or the hash of a folder's content.
    version: String,
    bases: Vec<Base>,
}

pub(super) enum Version {
    Commit { address: GitAddress, commit: String, folder: Option<String> },
    Content { path: PathBuf, hash: String },
}

impl Asked<'_> {
    /// The image of this origin on the bases that the engine has now.
    pub(super) async fn find(&self) -> Result<Option<Built>, BuildError> {
        let failed = |source| BuildError::Engine { source_name: self.source.reference(), source };
        let found =
            self.keeper.engine.images_with_label(ORIGIN_LABEL, self.origin.as_str()).await.map_err(failed)?;
        for image in found {
            let Some(Facts { bases, .. }) = facts_of(&image) else { continue };
            // Images made from this one inherit its labels, but not its name.
            let name = self.name(&bases);
            if image.names.contains(&name)
                && bases::have_stayed(&self.keeper.engine, &bases).await.map_err(failed)?
            {
                return self.built(&image.id, name, false).map(Some);
            }
        }
        Ok(None)
    }

    pub(super) async fn build(
        &self,
        archive: &Path,
        bases: &[Base],
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Built, BuildError> {
        let context = tokio::fs::File::open(archive).await.map_err(|source| BuildError::Io {
            action: "open",
            path: archive.to_owned(),
            source,
        })?;
        let name = self.name(bases);
        let labels = self.labels(bases);
        let new = NewBuild {
            name: &name,
            dockerfile: &self.source.dockerfile,
            args: &self.source.args,
            labels: &labels,
            context,
        };
        let mut log = BuildLog::default();
        let mut hear = |piece: &str| log.push(piece).into_iter().for_each(&mut *say);
        let ended = tokio::time::timeout(BUILD_LIMIT, self.keeper.engine.build_image(new, &mut hear)).await;
        log.finish().into_iter().for_each(&mut *say);
        let source_name = self.source.reference();
        match ended {
            Err(_elapsed) => {
                return Err(BuildError::TooLong { source_name, after: BUILD_LIMIT, log: log.last_lines() });
            }
            Ok(Err(EngineError::Refused { message, .. })) if !message.contains("no space left on device") => {
                return Err(BuildError::Failed { source_name, reason: message, log: log.last_lines() });
            }
            Ok(Err(source)) => return Err(BuildError::Engine { source_name, source }),
            Ok(Ok(())) => {}
        }
        // A build that ends without an error is no proof: only the image itself is.
        let facts = self.keeper.engine.inspect_image(&name).await;
        match facts.map_err(|source| BuildError::Engine { source_name: source_name.clone(), source })? {
            Some(facts) => self.built(&facts.id, name, true),
            None => Err(BuildError::Vanished { source_name }),
        }
    }

    fn built(&self, id: &str, name: String, is_new: bool) -> Result<Built, BuildError> {
        let vanished = |_odd_id| BuildError::Vanished { source_name: self.source.reference() };
        let commit = match &self.version {
            Version::Commit { commit, .. } => Some(commit.clone()),
            Version::Content { .. } => None,
        };
        Ok(Built { id: ImageId::parse(id).map_err(vanished)?, name, commit, is_new, stale: None })
    }

    fn name(&self, bases: &[Base]) -> String {
        let digits: String = key::key(&self.origin, bases).chars().take(TAG_DIGITS).collect();
        format!("{REPOSITORY}/{}:{digits}", self.source.name())
    }

    fn labels(&self, bases: &[Base]) -> [(String, String); 3] {
        let facts = Facts { version: self.version.as_str().to_owned(), bases: bases.to_vec() };
        // Texts and lists of texts: there is nothing in it that JSON could not hold.
        let facts = serde_json::to_string(&facts).unwrap_or_default();
        [
            (ORIGIN_LABEL.to_owned(), self.origin.as_str().to_owned()),
            (SOURCE_LABEL.to_owned(), self.source.reference()),
            (FACTS_LABEL.to_owned(), facts),
        ]
    }
}

impl Version {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Commit { commit, .. } => commit,
            Self::Content { hash, .. } => hash,
        }
    }
}

fn facts_of(image: &LabelledImage) -> Option<Facts> {
    serde_json::from_str(image.labels.get(FACTS_LABEL)?).ok()
}
