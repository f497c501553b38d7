//! Where the blobs of one upload lie: all below one fresh prefix, so that an upload that came to nothing can be
//! removed without touching what anybody else stored, not even another unit of the same attempt.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::blob::{BlobError, BlobKey, BlobStore, Delivery, Source};
use crate::catalog::{Catalog, CatalogError};
use crate::job::{AttemptNumber, JobId};

/// On whose behalf something is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Attempt(JobId, AttemptNumber),
    /// A person, by hand.
    Import,
}

impl Origin {
    /// The fence of the commit: work by hand has none.
    pub(crate) fn attempt(self) -> Option<(JobId, AttemptNumber)> {
        match self {
            Self::Attempt(job, attempt) => Some((job, attempt)),
            Self::Import => None,
        }
    }
}

/// Names for the blobs of one upload.
#[derive(Debug)]
pub(super) struct Shelf {
    /// `<job>/<attempt>/<upload>`
    place: String,
    next: AtomicU64,
    /// Outputs that were moved into the store, and from where.
    taken: Mutex<Vec<(BlobKey, PathBuf)>>,
}

impl Shelf {
    /// Never the same twice, also for two uploads of one attempt.
    pub(super) fn fresh(origin: Origin) -> Self {
        let upload = JobId::fresh();
        let place = match origin {
            Origin::Attempt(job, attempt) => format!("{job}/{attempt}/{upload}"),
            Origin::Import => format!("import/{upload}"),
        };
        Self { place, next: AtomicU64::new(0), taken: Mutex::default() }
    }

    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn slice(&self, number: u64) -> Result<BlobKey, BlobError> {
        BlobKey::parse(format!("slices/{}/{number}.csv", self.place))
    }

    pub(super) fn keys(&self, number: u64) -> Result<BlobKey, BlobError> {
        BlobKey::parse(format!("slices/{}/{number}.keys", self.place))
    }

    pub(super) fn file(&self, number: u64) -> Result<BlobKey, BlobError> {
        BlobKey::parse(format!("files/{}/{number}", self.place))
    }

    /// Stores an output of a component, remembering where it lay. Where the store takes a copy anyway, the output stays
    /// in its place: there is nothing to put back then, and the data folder is removed in the end.
    pub(super) async fn take(
        &self,
        blob: &BlobStore,
        key: &BlobKey,
        path: &Path,
        source: Source,
    ) -> Result<u64, BlobError> {
        let source = if blob.adopts_files() { source } else { Source::Copy };
        let bytes = blob.put_file(key, path, source).await?;
        if source == Source::Move {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push((key.clone(), path.to_owned()));
        }
        Ok(bytes)
    }

    /// Removes everything of this upload. Only for one that was never committed. Outputs that were moved into the
    /// store are put back first: somebody will want to see what could not be published.
    pub(super) async fn clear(&self, blob: &BlobStore) -> Result<(), BlobError> {
        let taken = std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, path) in taken {
            // A copy that is still there is as good, and one that cannot be put back is no reason to keep the upload.
            if let Err(error) = blob.deliver(&key, &path, Delivery::Link).await {
                tracing::debug!(%error, "an output was not put back");
            }
        }
        for prefix in ["slices", "files"] {
            for stored in blob.list(&format!("{prefix}/{}/", self.place)).await? {
                blob.remove(&stored.key).await?;
            }
        }
        Ok(())
    }
}

/// What kept leftovers from being removed; the next gc finds them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscardError {
    #[error("could not remove what attempt {attempt} of job {job} uploaded")]
    Blob { job: JobId, attempt: AttemptNumber, source: BlobError },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Removes what a dead attempt uploaded and never committed. What one of its rows did commit stays.
pub(crate) async fn discard(
    job: JobId,
    attempt: AttemptNumber,
    blob: &BlobStore,
    catalog: &Catalog,
) -> Result<(), DiscardError> {
    let failed = |source| DiscardError::Blob { job, attempt, source };
    let mut leftovers = Vec::new();
    for prefix in ["slices", "files"] {
        leftovers.extend(blob.list(&format!("{prefix}/{job}/{attempt}/")).await.map_err(failed)?);
    }
    if leftovers.is_empty() {
        return Ok(());
    }
    let mut needed = catalog.referenced_blobs().await?;
    needed.sort_unstable();
    for stored in leftovers.into_iter().filter(|stored| needed.binary_search(&stored.key).is_err()) {
        blob.remove(&stored.key).await.map_err(failed)?;
    }
    Ok(())
}
