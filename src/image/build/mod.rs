//! Images built on the fly: what is to be built, and finding it again. (CONTRACT: the words that others compile
//! against; the bodies are being written.)

use std::path::{Path, PathBuf};

use crate::component::{BuildContext, Policy};
use crate::engine::Engine;
use crate::job::ImageId;

/// What an image is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildSource {
    pub(crate) context: BuildContext,
    pub(crate) dockerfile: String,
    pub(crate) args: Vec<(String, String)>,
    /// The folder of the spec, to which a local context is relative.
    pub(crate) spec_dir: Option<PathBuf>,
}

/// A built image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) id: ImageId,
    pub(crate) key: String,
    pub(crate) commit: Option<String>,
    pub(crate) was_built: bool,
}

/// Why an image could not be built.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("images built on the fly are not supported yet: build it yourself and name it with image.uri")]
    NotOffered,
}

#[expect(clippy::unused_async, reason = "a skeleton")]
pub(crate) async fn ensure(
    _engine: &Engine,
    _source: &BuildSource,
    _policy: Policy,
    _work_dir: &Path,
    _say: &mut (dyn FnMut(String) + Send),
) -> Result<Built, BuildError> {
    Err(BuildError::NotOffered)
}
