//! Key files: readable by their owner alone, and never written over. Blocking.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::{Generated, KeyError};
use crate::job::Hidden;

/// No key file is longer, whatever was left in it over the years.
const BYTES_MAX: u64 = 1 << 20;
/// What others, and writers of the group, may not do to any key file.
const FORBIDDEN: u32 = 0o027;
/// What else is forbidden of our own. Of somebody else's the group is how it was given to us: `root:longshore 0640`, or
/// systemd's credentials, whose access list shows as rights of the group.
const FORBIDDEN_OF_OURS: u32 = 0o077;

/// The text of a key file. One that others may read is refused: what it protects would be protected no more.
pub(crate) fn read_identities(path: &Path) -> Result<Hidden, KeyError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            KeyError::NoFile { path }
        } else {
            KeyError::Io { action: "read", path, source }
        }
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if mode & (if is_ours { FORBIDDEN_OF_OURS } else { FORBIDDEN }) != 0 {
        return Err(KeyError::ReadableByOthers { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Hidden::new(text.as_str()))
}

/// Writes a new key, complete or not at all, and forces it to disk: what is sealed to it is worth nothing without it.
pub(super) fn write_new(path: &Path, key: &Generated) -> Result<(), KeyError> {
    let failed = |source| KeyError::Io { action: "write", path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made with mode 0600; linked into place only when nothing is there.
    if !folder.is_dir() {
        return Err(KeyError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(key.file.reveal().as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_file) => fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyError::FileExists { path: path.to_owned() })
        }
        Err(error) => Err(failed(error.error)),
    }
}

impl Generated {
    /// Writes the key into a file of its own (mode 0600), never over another.
    pub(crate) fn write(&self, path: &Path) -> Result<(), KeyError> {
        write_new(path, self)
    }
}
