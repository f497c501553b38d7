//! Putting files into a directory store. The file may come from a container: it is opened without following links,
//! judged on the open descriptor, and made ours before it gets its key.

use std::fs::{self, File};
use std::io;
#[cfg(test)]
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use tempfile::NamedTempFile;

use super::error::io_error;
use super::{BlobError, BlobKey, DirectoryStore, Source};

/// Blobs are read by containers under other users and written by nobody.
const BLOB_MODE: Mode = Mode::from_raw_mode(0o644);

impl DirectoryStore {
    pub(super) fn put_file(&self, key: &BlobKey, path: &Path, source: Source) -> Result<u64, BlobError> {
        let (file, bytes, has_other_names) = open_plain(path)?;
        // Another name would stay a way to write to the blob, and a file that cannot be made ours stays its owner's.
        if source == Source::Move && !has_other_names && make_ours(&file).is_ok() {
            if self.sync {
                file.sync_all().map_err(io_error("write to disk", path))?;
            }
            if self.rename_into_place(key, path, &file)? {
                return Ok(bytes);
            }
        }
        let copied = self.put_copy(key, path, file)?;
        if source == Source::Move {
            // The bytes are stored; what stays behind is in a folder that its owner clears.
            fs::remove_file(path).ok();
        }
        Ok(copied)
    }

    #[cfg(test)]
    pub(super) fn put_bytes(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        let mut temporary = self.temporary()?;
        temporary.write_all(bytes).map_err(io_error("write", temporary.path()))?;
        self.publish(key, temporary)
    }

    fn put_copy(&self, key: &BlobKey, path: &Path, mut file: File) -> Result<u64, BlobError> {
        let mut temporary = self.temporary()?;
        // Between two files this is copy_file_range: the bytes stay in the kernel, or are shared where it can.
        let bytes =
            io::copy(&mut file, temporary.as_file_mut()).map_err(io_error("copy to the blob store", path))?;
        self.publish(key, temporary)?;
        Ok(bytes)
    }

    fn temporary(&self) -> Result<NamedTempFile, BlobError> {
        let scratch = self.scratch.folder()?;
        NamedTempFile::new_in(&scratch).map_err(io_error("make a file in", &scratch))
    }

    fn publish(&self, key: &BlobKey, temporary: NamedTempFile) -> Result<(), BlobError> {
        make_ours(temporary.as_file()).map_err(io_error("set the mode of", temporary.path()))?;
        if self.sync {
            temporary.as_file().sync_all().map_err(io_error("write to disk", temporary.path()))?;
        }
        let (file, path) = temporary.into_parts();
        if !self.rename_into_place(key, &path, &file)? {
            // Scratch lies below the root, so only a mount between the two gets here.
            let source = io::Error::from(io::ErrorKind::CrossesDevices);
            return Err(io_error("rename into the blob store", &path)(source));
        }
        // The guard would remove a name that is not there any more.
        path.keep().map_err(|error| io_error("keep", &self.path_of(key))(error.error))?;
        Ok(())
    }

    /// Renames `from`, which is `file`, to the key's path. False: it lies on another file system.
    fn rename_into_place(&self, key: &BlobKey, from: &Path, file: &File) -> Result<bool, BlobError> {
        let to = self.path_of(key);
        let parent = to.parent().unwrap_or(self.root());
        let mut attempts_left = 10;
        loop {
            match fs::create_dir_all(parent).and_then(|()| rename_to_fresh(from, &to)) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(BlobError::AlreadyStored { key: key.clone() });
                }
                // Somebody who removed the last blob of a directory pruned it between two of our calls.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && attempts_left > 0 && from.exists() =>
                {
                    attempts_left -= 1;
                }
                Err(source) => return Err(io_error("rename into the blob store", from)(source)),
            }
        }
        check_identity(file, &to, from)?;
        if self.sync {
            self.sync_directories(parent)?;
        }
        Ok(true)
    }

    /// A rename is on disk when the directory is, and a new directory when the one above it is.
    fn sync_directories(&self, parent: &Path) -> Result<(), BlobError> {
        for directory in parent.ancestors() {
            File::open(directory)
                .and_then(|open| open.sync_all())
                .map_err(io_error("write to disk", directory))?;
            if directory == self.root() {
                break;
            }
        }
        Ok(())
    }
}

/// The name at `from` may have been given to another file after `file` was judged; then nothing is stored.
fn check_identity(file: &File, stored: &Path, from: &Path) -> Result<(), BlobError> {
    let judged = file.metadata().map_err(io_error("look at", from))?;
    let found = fs::symlink_metadata(stored).map_err(io_error("look at", stored))?;
    if (judged.dev(), judged.ino()) == (found.dev(), found.ino()) {
        return Ok(());
    }
    fs::remove_file(stored).map_err(io_error("remove", stored))?;
    Err(BlobError::NotPlainFile { path: from.to_owned() })
}

/// Opens what may be anything: the plain file, its bytes, and whether it has more names than this one.
pub(super) fn open_plain(path: &Path) -> Result<(File, u64, bool), BlobError> {
    // Without O_NONBLOCK the open of a FIFO would wait for a writer for ever.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(io::Error::from);
    let file = match opened {
        Ok(file) => file,
        // ELOOP for a symlink, ENXIO for a socket: ask the name itself what it is.
        Err(source) => {
            return Err(match fs::symlink_metadata(path) {
                Ok(found) if !found.is_file() => BlobError::NotPlainFile { path: path.to_owned() },
                Ok(_) | Err(_) => io_error("open", path)(source),
            });
        }
    };
    let metadata = file.metadata().map_err(io_error("look at", path))?;
    if !metadata.is_file() {
        return Err(BlobError::NotPlainFile { path: path.to_owned() });
    }
    Ok((file, metadata.len(), metadata.nlink() > 1))
}

/// Gives the file the blobs' mode and, when we may, our ownership: a file that a container made belongs to its user.
fn make_ours(file: &File) -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let metadata = file.metadata()?;
    if (metadata.uid(), metadata.gid()) != (user.as_raw(), group.as_raw()) && user.is_root() {
        rustix::fs::fchown(file, Some(user), Some(group))?;
    } else if metadata.uid() != user.as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // After the change of owner, and always: this also clears set-user-id bits.
    rustix::fs::fchmod(file, BLOB_MODE)?;
    Ok(())
}

/// Renames and never replaces.
fn rename_to_fresh(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems know no such rename. Keys are fresh, so looking first is enough there.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        renamed => renamed.map_err(io::Error::from),
    }
}
