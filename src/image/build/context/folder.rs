//! The files of a local folder, without following links and without `.git`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{ContextError, Entry, Kind, as_path};

/// Lists the files below a folder, which may itself be reached by a link. Empty folders have no entry.
pub(super) fn list(folder: &Path, entries_max: usize) -> Result<Vec<Entry>, ContextError> {
    if !folder.is_dir() {
        return Err(ContextError::PathMissing { folder: folder.display().to_string() });
    }
    let mut entries = Vec::new();
    let mut waiting: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(below) = waiting.pop() {
        let path = folder.join(as_path(&below));
        let failed = |source| ContextError::Io { action: "list", path: path.clone(), source };
        for found in fs::read_dir(&path).map_err(failed)? {
            let found = found.map_err(failed)?;
            let name = found.file_name();
            if name == OsStr::new(".git") {
                continue;
            }
            let path = joined(&below, name.into_vec());
            let facts = found.metadata().map_err(failed)?;
            if facts.is_dir() {
                waiting.push(path);
                continue;
            }
            let kind = if facts.is_symlink() {
                Kind::Link
            } else if facts.is_file() {
                Kind::File { is_executable: facts.permissions().mode() & 0o111 != 0 }
            } else {
                Kind::Special
            };
            if entries.len() == entries_max {
                return Err(ContextError::TooMany { limit: entries_max });
            }
            entries.push(Entry { path, kind, size: facts.len(), id: None });
        }
    }
    Ok(entries)
}

fn joined(below: &[u8], name: Vec<u8>) -> Vec<u8> {
    if below.is_empty() { name } else { [below, b"/", &name].concat() }
}

/// Lets `take` read a file, or the target of a link. What became something else since it was listed is refused.
pub(super) fn with<T>(
    folder: &Path,
    entry: &Entry,
    take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let path = folder.join(as_path(&entry.path));
    match entry.kind {
        Kind::Special => Err(io::Error::other("it is no file")),
        Kind::Link => take(&mut fs::read_link(path)?.as_os_str().as_bytes()),
        Kind::File { .. } => {
            // A pipe that took the file's place must not hold us up.
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is no file any more"));
            }
            take(&mut file)
        }
    }
}
