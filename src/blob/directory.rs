//! A blob store in a directory: a key is a path below the root. Files are put by rename from `.scratch/` or from
//! elsewhere on the same file system, so that a reader meets whole blobs only.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::io_error;
use super::scratch::ScratchSpace;
use super::{BlobError, BlobInfo, BlobKey, Delivery};

/// Blobs as files below one directory.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryStore {
    root: PathBuf,
    pub(super) scratch: ScratchSpace,
    /// Whether a put is on disk before it returns.
    pub(super) sync: bool,
}

impl DirectoryStore {
    pub(super) fn open(root: &Path, owner: &str, sync: bool) -> Result<Self, BlobError> {
        // Absolute, so that a later change of the working directory does not move the store.
        let root = std::path::absolute(root).map_err(io_error("find the blob store", root))?;
        fs::create_dir_all(&root).map_err(io_error("make the blob store's directory", &root))?;
        let scratch = ScratchSpace::new(&root, owner);
        Ok(Self { root, scratch, sync })
    }

    pub(super) fn path_of(&self, key: &BlobKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn check(&self) -> Result<(), BlobError> {
        fs::read_dir(&self.root).map(drop).map_err(io_error("look into the blob store", &self.root))
    }

    pub(super) fn open_file(&self, key: &BlobKey) -> Result<File, BlobError> {
        let path = self.path_of(key);
        File::open(&path).map_err(|source| missing_or(key, "open", &path, source))
    }

    pub(super) fn deliver(&self, key: &BlobKey, to: &Path, how: Delivery) -> Result<u64, BlobError> {
        let from = self.path_of(key);
        if how == Delivery::Link {
            match fs::hard_link(&from, to) {
                Ok(()) => return Ok(fs::metadata(to).map_err(io_error("read the size of", to))?.len()),
                Err(error) if link_is_impossible(&error) => {}
                Err(source) if source.kind() == io::ErrorKind::NotFound && !from.exists() => {
                    return Err(BlobError::NotFound { key: key.clone() });
                }
                Err(source) => return Err(io_error("link a blob to", to)(source)),
            }
        }
        let mut blob = self.open_file(key)?;
        let mut target = File::create_new(to).map_err(io_error("make", to))?;
        io::copy(&mut blob, &mut target).map_err(|source| {
            // The half-copied file must not be taken for the blob. Should removing it fail too, the first error
            // is still the one to report.
            fs::remove_file(to).ok();
            io_error("copy a blob to", to)(source)
        })
    }

    pub(super) fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        let path = self.path_of(key);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(io_error("remove", &path)(source)),
        }
        // Removing a directory fails when something is left in it, or when somebody was faster: both end the pruning.
        path.ancestors()
            .skip(1)
            .take_while(|directory| *directory != self.root)
            .find(|directory| fs::remove_dir(directory).is_err());
        Ok(())
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        let folder = match prefix.rsplit_once('/') {
            Some((folder, _)) => Some(BlobKey::parse(folder)?),
            None => None,
        };
        let start = folder.as_ref().map_or_else(|| self.root.clone(), |folder| self.path_of(folder));
        let mut found = Vec::new();
        let mut waiting = vec![(start, folder.map_or_else(String::new, |folder| format!("{folder}/")))];
        while let Some((directory, prefix_here)) = waiting.pop() {
            list_one(&directory, &prefix_here, &mut found, &mut waiting)?;
        }
        found.retain(|info| info.key.as_str().starts_with(prefix));
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }
}

/// Whether a hard link cannot be made here at all, so that a copy must do: another file system, too many links, a file
/// system without links, or a kernel that protects files of other owners.
fn link_is_impossible(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::CrossesDevices
            | io::ErrorKind::TooManyLinks
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported
    )
}

fn missing_or(key: &BlobKey, action: &'static str, path: &Path, source: io::Error) -> BlobError {
    if source.kind() == io::ErrorKind::NotFound {
        BlobError::NotFound { key: key.clone() }
    } else {
        io_error(action, path)(source)
    }
}

/// Reads one directory: files go to `found`, directories to `waiting`. What is no blob (links, files whose names no key
/// could have, the scratch directory) is passed over; what vanishes while we look was removed by somebody.
fn list_one(
    directory: &Path,
    prefix: &str,
    found: &mut Vec<BlobInfo>,
    waiting: &mut Vec<(PathBuf, String)>,
) -> Result<(), BlobError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(source) => return Err(io_error("list", directory)(source)),
    };
    for entry in entries {
        let entry = entry.map_err(io_error("list", directory))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let Ok(key) = BlobKey::parse(format!("{prefix}{name}")) else {
            continue;
        };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(io_error("read the size of", &entry.path())(source)),
        };
        if metadata.is_dir() {
            waiting.push((entry.path(), format!("{key}/")));
        } else if metadata.is_file() {
            let modified = metadata.modified().map_err(io_error("read the time of", &entry.path()))?;
            // A time no calendar has (a broken file system) counts as very old.
            let modified = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
            found.push(BlobInfo { key, bytes: metadata.len(), modified });
        }
    }
    Ok(())
}
