//! Bytes by key: a directory (S3 comes beside it). Streams; never holds a blob in memory.

// CONTRACT (skeleton). Owner: the blob room.
#![allow(unused_variables, clippy::all, reason = "skeleton")]

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// A blob's name: `/`-separated, `[A-Za-z0-9._-]` in each part, no `.` or `..` part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    pub fn parse(text: impl Into<String>) -> Result<Self, BlobError> {
        unimplemented!()
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("(skeleton)")]
pub struct BlobError {}

impl BlobError {
    pub fn is_disk_full(&self) -> bool {
        unimplemented!()
    }
}

/// One stored blob as [`BlobStore::list`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    pub key: BlobKey,
    pub bytes: u64,
    pub modified: Timestamp,
}

/// What becomes of the file that is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It may be renamed into the store (copied where it lies on another file system or has other names).
    Move,
    Copy,
}

/// How a blob reaches a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// A hard link where possible: the receiver must not be able to write to it.
    Link,
    /// Its own bytes (kernel copy).
    Copy,
}

#[derive(Debug, Clone)]
pub enum BlobStore {
    Directory(DirectoryStore),
}

#[derive(Debug, Clone)]
pub struct DirectoryStore {
    root: PathBuf,
    /// Whether a put is on disk before it returns.
    sync: bool,
}

impl BlobStore {
    pub fn directory(root: &Path, sync: bool) -> Result<Self, BlobError> {
        unimplemented!()
    }
    /// Stores a file under a fresh key; visible whole or not at all. Returns its bytes.
    pub async fn put_file(&self, key: &BlobKey, path: &Path, source: Source) -> Result<u64, BlobError> {
        unimplemented!()
    }
    pub async fn put_bytes(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), BlobError> {
        unimplemented!()
    }
    /// Opens a blob for sequential reading on a blocking thread.
    pub fn open(&self, key: &BlobKey) -> Result<Box<dyn Read + Send>, BlobError> {
        unimplemented!()
    }
    /// A seekable local file with the blob's bytes (for S3: a downloaded temporary file).
    pub fn open_file(&self, key: &BlobKey) -> Result<File, BlobError> {
        unimplemented!()
    }
    /// Makes `path` (which must not exist) a file with the blob's bytes; returns its bytes.
    pub async fn deliver(&self, key: &BlobKey, path: &Path, how: Delivery) -> Result<u64, BlobError> {
        unimplemented!()
    }
    /// Removes a blob; one that is not there is fine.
    pub async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        unimplemented!()
    }
    /// All blobs below a prefix, in key order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        unimplemented!()
    }
    /// A fresh directory on the store's own file system, so that a finished file can be put by a rename.
    pub fn scratch(&self) -> Result<tempfile::TempDir, BlobError> {
        unimplemented!()
    }
}
