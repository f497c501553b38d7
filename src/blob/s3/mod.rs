//! A blob store in a bucket of an S3 server. Asks nothing special of the server: no conditions, no locks; the catalog
//! alone decides what is visible. Every call is tried again while that may help and patience lasts.
//!
//! Slices are compressed in [`frames`]; all other blobs lie as they are, with a checksum in their metadata.

mod call;
mod client;
mod fetch;
mod frames;
mod listing;
mod multipart;
mod pieces;
mod read;
mod tries;
mod trouble;
mod upload;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

pub(crate) use listing::Unfinished;
pub(crate) use read::RemoteReader;
pub(crate) use trouble::StoreTrouble;

use super::error::{Place, io_error};
use super::scratch::ScratchSpace;
use super::{BlobError, BlobKey, S3Options, blocking};

/// Small blobs cost the way to the server rather than bytes, so many are on it at once.
pub(super) const SMALL_AT_ONCE: usize = 32;
/// What counts as small.
const SMALL_BYTES: u64 = 1024 * 1024;
/// Large blobs take some 60 MiB each while they are moved.
const LARGE_AT_ONCE: usize = 3;

/// Blobs as objects of one bucket, below one prefix.
#[derive(Debug, Clone)]
pub(crate) struct S3Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    place: Arc<Place>,
    /// Empty, or with a slash at its end.
    prefix: String,
    patience: std::time::Duration,
    scratch: ScratchSpace,
    /// Where blocking readers have their calls made.
    runtime: Handle,
    /// Transfers at once, however many ask: what bounds the memory.
    small: Semaphore,
    large: Semaphore,
    /// Uploads whose future was dropped, and that are being given up.
    aborting: TaskTracker,
}

impl S3Store {
    pub(super) async fn connect(
        options: &S3Options,
        scratch_root: &Path,
        owner: &str,
    ) -> Result<Self, BlobError> {
        let scratch_root =
            std::path::absolute(scratch_root).map_err(io_error("find the folder", scratch_root))?;
        let client = client::connect(options).await;
        let endpoint = options.endpoint.clone().unwrap_or_else(|| {
            let region = client.config().region().map_or("no region", |region| region.as_ref());
            format!("Amazon S3 ({region})")
        });
        let prefix = options.prefix.trim_matches('/');
        let shared = Shared {
            client,
            place: Arc::new(Place { bucket: options.bucket.clone(), endpoint }),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            patience: options.patience,
            scratch: ScratchSpace::new(&scratch_root, owner),
            runtime: Handle::current(),
            small: Semaphore::new(SMALL_AT_ONCE),
            large: Semaphore::new(LARGE_AT_ONCE),
            aborting: TaskTracker::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The name of a blob's object.
    fn object(&self, key: &BlobKey) -> String {
        format!("{}{key}", self.shared.prefix)
    }

    pub(super) fn scratch(&self) -> Result<tempfile::TempDir, BlobError> {
        self.shared.scratch.fresh()
    }

    pub(super) async fn clear_scratch(&self, owner: &str) -> Result<(), BlobError> {
        self.shared.aborting.close();
        self.shared.aborting.wait().await;
        let (scratch, owner) = (self.shared.scratch.clone(), owner.to_owned());
        blocking(format!("scratch of {owner}"), move || scratch.clear(&owner)).await
    }

    pub(super) fn open_file(&self, key: &BlobKey) -> Result<File, BlobError> {
        let folder = self.shared.scratch.folder()?;
        let mut reader = self.open(key)?;
        let mut file = tempfile::tempfile_in(&folder).map_err(io_error("make a file in", &folder))?;
        io::copy(&mut reader, &mut file).map_err(|error| read::failed(error, "copy a blob to", &folder))?;
        io::Seek::rewind(&mut file).map_err(io_error("read a file in", &folder))?;
        Ok(file)
    }

    /// Makes a file of its own; there is nothing to link to.
    pub(super) async fn deliver(&self, key: &BlobKey, path: &Path) -> Result<u64, BlobError> {
        let small = self.shared.small.acquire().await;
        let first = self.first(key).await?;
        // Whoever has a large permit waits for no small one, so the two cannot block each other.
        let large = if first.is_whole() { None } else { Some(self.shared.large.acquire().await) };
        let (store, key, path) = (self.clone(), key.clone(), path.to_owned());
        let delivered = blocking(key.to_string(), move || {
            let mut target = File::create_new(&path).map_err(io_error("make", &path))?;
            let copied = io::copy(&mut store.reader(&key, first), &mut target);
            copied.map_err(|error| {
                // The half-copied file must not be taken for the blob. Should removing it fail too, the first error
                // is still the one to report.
                std::fs::remove_file(&path).ok();
                read::failed(error, "copy a blob to", &path)
            })
        });
        let delivered = delivered.await;
        drop((large, small));
        delivered
    }

    pub(super) async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        let asked = call::Asked { action: "remove", key: Some(key), limit: self.silence() };
        let object = self.object(key);
        let Shared { client, place, .. } = &*self.shared;
        let removing = || client.delete_object().bucket(&place.bucket).key(&object).send();
        match self.ask(asked, removing).await {
            Ok(_) | Err(BlobError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
