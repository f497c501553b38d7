//! Reading a document that a person wrote, from whatever path that person gave. Blocking.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No spec or configuration is longer; a table given by mistake may well be.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a file was not read, in words for the person who named it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {}: there is no such file", path.display())]
    Missing { path: PathBuf },
    #[error("cannot read {}: it is a folder, expected a file", path.display())]
    Folder { path: PathBuf },
    #[error("cannot read {}: permission denied", path.display())]
    Denied { path: PathBuf },
    #[error("cannot read {}: it is not UTF-8, line {line} holds the byte 0x{found:02X}; save it as UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: usize, found: u8 },
    #[error("cannot read {}: it is larger than {} MiB; is this the right file?", path.display(), BYTES_MAX >> 20)]
    TooLarge { path: PathBuf },
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl ReadError {
    pub(crate) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, open enum")]
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Io { path, source },
        }
    }
}

/// Whether there is something to read: anything but a folder, and a plain file must open. A pipe is left alone, as
/// opening it may take from whoever reads it later.
pub(crate) fn check_readable(path: &Path) -> Result<fs::Metadata, ReadError> {
    let failed = |source| ReadError::of(path, source);
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(ReadError::Folder { path: path.to_owned() });
    }
    if metadata.is_file() {
        File::open(path).map_err(failed)?;
    }
    Ok(metadata)
}

/// The whole text of a small file.
pub(crate) fn read_text(path: &Path) -> Result<String, ReadError> {
    let failed = |source| ReadError::of(path, source);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(ReadError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let (before, after) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        ReadError::NotUtf8 { path: path.to_owned(), line, found: after.first().copied().unwrap_or_default() }
    })
}
