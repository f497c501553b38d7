//! Local directories of half-written files, one per owner, so that those of an owner that died can be found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::BlobError;
use super::error::io_error;

/// Holds one folder per owner; no key can name it.
const SCRATCH: &str = ".scratch";

/// Where somebody's half-written files lie.
#[derive(Debug, Clone)]
pub(super) struct ScratchSpace {
    root: PathBuf,
    owner: String,
}

impl ScratchSpace {
    /// Below `root`, which must be absolute. Touches nothing yet.
    pub(super) fn new(root: &Path, owner: &str) -> Self {
        Self { root: root.join(SCRATCH), owner: owner.to_owned() }
    }

    /// The owner's folder, made when it is not there.
    pub(super) fn folder(&self) -> Result<PathBuf, BlobError> {
        let folder = self.root.join(&self.owner);
        fs::create_dir_all(&folder).map_err(io_error("make", &folder))?;
        Ok(folder)
    }

    /// A fresh directory, which goes with its handle.
    pub(super) fn fresh(&self) -> Result<tempfile::TempDir, BlobError> {
        let folder = self.folder()?;
        tempfile::TempDir::new_in(&folder).map_err(io_error("make a directory in", &folder))
    }

    /// Removes everything of `owner`.
    pub(super) fn clear(&self, owner: &str) -> Result<(), BlobError> {
        let folder = self.root.join(owner);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &folder)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
