//! Bytes by key: in a directory, or in a bucket of an S3 server. Blobs are written once under fresh keys and never
//! changed. Streams; never holds a file in memory, never knows what a blob means.

mod directory;
mod error;
mod key;
mod put;
mod reader;
mod s3;
mod scratch;
#[cfg(test)]
mod test_bucket;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::num::NonZero;
use std::path::Path;
use std::thread::available_parallelism;

use jiff::Timestamp;

pub(crate) use directory::DirectoryStore;
pub(crate) use error::{BlobError, is_disk_full};
pub(crate) use key::BlobKey;
pub(crate) use reader::BlobReader;
pub(crate) use s3::{S3Store, Unfinished};
#[cfg(test)]
pub(crate) use test_bucket::test_bucket;

/// One stored blob as [`BlobStore::list`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobInfo {
    pub key: BlobKey,
    pub bytes: u64,
    pub modified: Timestamp,
}

/// What becomes of the file that is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It may be renamed into the store (copied where it lies on another file system or has other names).
    Move,
    Copy,
}

/// How a blob reaches a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// A hard link where possible: the receiver must not be able to write to it.
    Link,
    /// Its own bytes (kernel copy).
    Copy,
}

/// A bucket of an S3 server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Options {
    pub bucket: String,
    /// What all keys begin with, without a slash at the end; may be empty.
    pub prefix: String,
    /// `None`: Amazon's own for the region.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// `http://host/bucket/key` instead of `http://bucket.host/key`.
    pub path_style: bool,
    /// Key id and secret; `None`: the usual chain (environment, files, instance).
    pub credentials: Option<(String, crate::job::Hidden)>,
    /// How long trouble of the store is tried again before the work that needs it fails.
    pub patience: std::time::Duration,
}

/// Where blobs lie.
#[derive(Debug, Clone)]
pub(crate) enum BlobStore {
    Directory(DirectoryStore),
    S3(S3Store),
}

impl BlobStore {
    /// A store in the directory `root`, which is made when it is not there. `owner` names whose half-written files
    /// ours are, so that they can be found when we die. With `sync` a put returns only when the
    /// blob is on disk. Touches the file system: call it from a blocking thread or at start-up.
    pub(crate) fn directory(root: &Path, owner: &str, sync: bool) -> Result<Self, BlobError> {
        Ok(Self::Directory(DirectoryStore::open(root, owner, sync)?))
    }

    /// A store in a bucket, which must be there. Half-written files of `owner` lie below `scratch_root`, best on the
    /// file system of the work folder. Asks the server nothing yet. What reads from it blockingly needs the runtime
    /// that this is called on.
    pub(crate) async fn s3(options: &S3Options, scratch_root: &Path, owner: &str) -> Result<Self, BlobError> {
        Ok(Self::S3(S3Store::connect(options, scratch_root, owner).await?))
    }

    /// Whether other machines may be at work on this store, so that locks of this one prove nothing.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            Self::Directory(_) => false,
            Self::S3(_) => true,
        }
    }

    /// Whether a file that is put by [`Source::Move`] costs no second copy of its bytes here.
    pub(crate) fn adopts_files(&self) -> bool {
        !self.is_shared()
    }

    /// How many small blobs are best moved at once: a disk wants one per core, a server far away wants many.
    pub(crate) fn at_once(&self) -> usize {
        match self {
            Self::Directory(_) => available_parallelism().map_or(2, NonZero::get),
            Self::S3(_) => s3::SMALL_AT_ONCE,
        }
    }

    /// Whether the store can be reached and would let us in, asked once and answered soon.
    pub(crate) async fn check(&self) -> Result<(), BlobError> {
        match self {
            Self::Directory(store) => {
                let store = store.clone();
                blocking("check".into(), move || store.check()).await
            }
            Self::S3(store) => store.check().await,
        }
    }

    /// Stores a file under a fresh key; visible whole or not at all. Returns its bytes.
    ///
    /// The path may be what a container left behind: anything but a plain file is refused, links are not followed.
    /// A directory refuses a key that is used already; a bucket does not look, as no server promises to.
    pub(crate) async fn put_file(
        &self,
        key: &BlobKey,
        path: &Path,
        source: Source,
    ) -> Result<u64, BlobError> {
        match self {
            Self::Directory(store) => {
                let (store, key, path) = (store.clone(), key.clone(), path.to_owned());
                blocking(key.to_string(), move || store.put_file(&key, &path, source)).await
            }
            Self::S3(store) => store.put_file(key, path, source).await,
        }
    }

    /// Stores bytes under a fresh key; visible whole or not at all.
    #[cfg(test)]
    pub(crate) async fn put_bytes(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), BlobError> {
        match self {
            Self::Directory(store) => {
                let (store, key) = (store.clone(), key.clone());
                blocking(key.to_string(), move || store.put_bytes(&key, &bytes)).await
            }
            Self::S3(store) => {
                let scratch = store.scratch()?;
                let path = scratch.path().join("bytes");
                std::fs::write(&path, &bytes).map_err(error::io_error("write", &path))?;
                store.put_file(key, &path, Source::Move).await.map(|_bytes| ())
            }
        }
    }

    /// Opens a blob for sequential reading. Blocks: call and read it on a blocking thread.
    pub(crate) fn open(&self, key: &BlobKey) -> Result<BlobReader, BlobError> {
        match self {
            Self::Directory(store) => Ok(BlobReader::File(store.open_file(key)?)),
            Self::S3(store) => Ok(BlobReader::Remote(store.open(key)?)),
        }
    }

    /// A seekable local file with the blob's bytes. Blocks: call it on a blocking thread.
    pub(crate) fn open_file(&self, key: &BlobKey) -> Result<File, BlobError> {
        match self {
            Self::Directory(store) => store.open_file(key),
            Self::S3(store) => store.open_file(key),
        }
    }

    /// Makes `path` (which must not exist) a file with the blob's bytes; returns its bytes.
    pub(crate) async fn deliver(&self, key: &BlobKey, path: &Path, how: Delivery) -> Result<u64, BlobError> {
        match self {
            Self::Directory(store) => {
                let (store, key, path) = (store.clone(), key.clone(), path.to_owned());
                blocking(key.to_string(), move || store.deliver(&key, &path, how)).await
            }
            Self::S3(store) => store.deliver(key, path).await,
        }
    }

    /// Whether [`Self::deliver`] leaves at the path the stored bytes themselves, which nobody may change.
    pub(crate) fn links(&self, how: Delivery) -> bool {
        how == Delivery::Link && !self.is_shared()
    }

    /// Removes a blob; one that is not there is fine.
    pub(crate) async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self {
            Self::Directory(store) => {
                let (store, key) = (store.clone(), key.clone());
                blocking(key.to_string(), move || store.remove(&key)).await
            }
            Self::S3(store) => store.remove(key).await,
        }
    }

    /// All blobs whose keys begin with `prefix`, in key order. Their bytes are those in the store: a bucket's slices
    /// are compressed.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        match self {
            Self::Directory(store) => {
                let (store, prefix) = (store.clone(), prefix.to_owned());
                blocking(format!("list {prefix}"), move || store.list(&prefix)).await
            }
            Self::S3(store) => store.list(prefix).await,
        }
    }

    /// Uploads that were begun before `before` and never finished: what processes that were killed left in a bucket.
    pub(crate) async fn unfinished(&self, before: Timestamp) -> Result<Vec<Unfinished>, BlobError> {
        match self {
            Self::Directory(_) => Ok(Vec::new()),
            Self::S3(store) => store.unfinished(before).await,
        }
    }

    /// Gives up an unfinished upload and its bytes; one that is not there is fine.
    pub(crate) async fn abort(&self, upload: &Unfinished) -> Result<(), BlobError> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::S3(store) => store.abort_unfinished(upload).await,
        }
    }

    /// Removes the half-written files of an owner that is gone, or has finished. Waits for uploads that are being
    /// given up.
    pub(crate) async fn clear_scratch(&self, owner: &str) -> Result<(), BlobError> {
        match self {
            Self::Directory(store) => {
                let (scratch, owner) = (store.scratch.clone(), owner.to_owned());
                blocking(format!("scratch of {owner}"), move || scratch.clear(&owner)).await
            }
            Self::S3(store) => store.clear_scratch(owner).await,
        }
    }

    /// A fresh directory, on the store's own file system where it has one, so that a finished file can be put by a
    /// rename. It goes with its handle. Blocks for one `mkdir`.
    pub(crate) fn scratch(&self) -> Result<tempfile::TempDir, BlobError> {
        match self {
            Self::Directory(store) => store.scratch.fresh(),
            Self::S3(store) => store.scratch(),
        }
    }
}

async fn blocking<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(BlobError::CutOff { what, source }),
    }
}
