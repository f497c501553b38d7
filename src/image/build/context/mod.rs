//! What is sent to the engine for a build: the files of a commit or of a local folder, as one archive.
//!
//! Both are told alike (plain and executable files and links; no owners, no times), so that what builds here from a
//! folder builds the same from a repository, and equal content is an equal archive. Blocking.

mod archive;
mod error;
mod folder;
mod ignore;

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::git::{self, ObjectReader, Objects};
pub(super) use archive::{Written, write};
pub(super) use error::ContextError;
use ignore::Ignore;

const ENTRIES_MAX: usize = 100_000;
/// Before `.dockerignore` is heard: a folder of somebody who works in it holds more than is sent.
const LISTED_MAX: usize = 1_000_000;
/// A Dockerfile or `.dockerignore` that a person wrote is far smaller.
const TEXT_BYTES_MAX: u64 = 1 << 20;
const IGNORE_FILE: &[u8] = b".dockerignore";

/// A file or link of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Below the context's folder, parts separated by `/`.
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// Of a link: of its target's text.
    pub(super) size: u64,
    /// The object that holds its bytes, in a repository.
    pub(super) id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File {
        is_executable: bool,
    },
    Link,
    /// A pipe, socket or device of a local folder.
    Special,
}

/// Where the bytes of entries are.
#[derive(Debug)]
enum Contents {
    Git(ObjectReader),
    Folder(PathBuf),
}

/// All that is sent, found and judged; nothing is read yet but Dockerfile and `.dockerignore`.
#[derive(Debug)]
pub(super) struct Context {
    entries: Vec<Entry>,
    contents: Contents,
    pub(super) dockerfile: String,
}

impl Context {
    /// The files of a commit that was fetched.
    pub(super) fn of_commit(
        objects: &Objects,
        commit: &str,
        folder: Option<&str>,
        dockerfile: &str,
        size_max: u64,
    ) -> Result<Self, ContextError> {
        let entries = git::list(objects, commit, folder, LISTED_MAX)?;
        Self::new(entries, Contents::Git(ObjectReader::start(objects)?), dockerfile, size_max)
    }

    /// The files of a local folder.
    pub(super) fn of_folder(path: &Path, dockerfile: &str, size_max: u64) -> Result<Self, ContextError> {
        let entries = folder::list(path, LISTED_MAX)?;
        Self::new(entries, Contents::Folder(path.to_owned()), dockerfile, size_max)
    }

    fn new(
        mut entries: Vec<Entry>,
        mut contents: Contents,
        dockerfile: &str,
        size_max: u64,
    ) -> Result<Self, ContextError> {
        let text = read_text(&entries, &mut contents, dockerfile.as_bytes())?;
        let Some(dockerfile_text) = text else {
            return Err(ContextError::NoDockerfile { path: dockerfile.to_owned() });
        };
        if let Some(text) = read_text(&entries, &mut contents, IGNORE_FILE)? {
            let ignore = Ignore::parse(&text);
            // The engine reads these two, and leaves them out itself where the patterns say so.
            let is_needed = |path: &[u8]| path == dockerfile.as_bytes() || path == IGNORE_FILE;
            entries.retain(|entry| is_needed(&entry.path) || !ignore.matches(&entry.path));
        }
        if let Some(entry) = entries.iter().find(|entry| entry.kind == Kind::Special) {
            return Err(ContextError::Special { path: String::from_utf8_lossy(&entry.path).into_owned() });
        }
        if entries.len() > ENTRIES_MAX {
            return Err(ContextError::TooMany { limit: ENTRIES_MAX });
        }
        let size: u64 = entries.iter().map(|entry| entry.size).sum();
        if size > size_max {
            return Err(ContextError::TooLarge { found: size, limit: size_max });
        }
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { entries, contents, dockerfile: dockerfile_text })
    }
}

impl Contents {
    /// Lets `take` read the bytes of a file, or the target of a link.
    fn with<T>(
        &mut self,
        entry: &Entry,
        take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T, ContextError> {
        let taken = match self {
            Self::Git(objects) => objects.with(entry.id.as_deref().unwrap_or_default(), take),
            Self::Folder(folder) => folder::with(folder, entry, take),
        };
        taken.map_err(|source| ContextError::Io { action: "read", path: as_path(&entry.path).into(), source })
    }
}

/// The whole of a small file; `None` where there is none. A link is refused.
fn read_text(
    entries: &[Entry],
    contents: &mut Contents,
    path: &[u8],
) -> Result<Option<String>, ContextError> {
    let Some(entry) = entries.iter().find(|entry| entry.path == path) else {
        return Ok(None);
    };
    let name = || String::from_utf8_lossy(path).into_owned();
    match entry.kind {
        Kind::Link | Kind::Special => return Err(ContextError::NotPlain { path: name() }),
        Kind::File { .. } if entry.size > TEXT_BYTES_MAX => {
            return Err(ContextError::TextTooLarge { path: name(), limit: TEXT_BYTES_MAX });
        }
        Kind::File { .. } => {}
    }
    let mut bytes = Vec::new();
    contents.with(entry, |file| file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn as_path(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}

#[cfg(test)]
mod tests;
