//! One call to the store, tried again while that can help and patience lasts.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::tries::Tries;
use super::trouble::Meaning;
use super::{S3Store, StoreTrouble};
use crate::blob::{BlobError, BlobKey};

/// A store that is silent for longer is asked again; where patience is short, sooner.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Uploads are given the time that a slow line needs, beyond the silence.
const SLOWEST_BYTES_PER_SECOND: u64 = 128 * 1024;

/// What is asked of the store, for whoever reads the error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) action: &'static str,
    /// `None`: the bucket as a whole.
    pub(super) key: Option<&'a BlobKey>,
    /// How long the store may take for its answer.
    pub(super) limit: Duration,
}

impl S3Store {
    /// How long the store may be silent.
    pub(super) fn silence(&self) -> Duration {
        SILENCE_MAX.min(self.shared.patience / 3)
    }

    /// How long the store may take for what carries so many bytes to it.
    pub(super) fn limit_of(&self, bytes: usize) -> Duration {
        let carrying = Duration::from_secs(bytes as u64 / SLOWEST_BYTES_PER_SECOND);
        // A part is written to the store's disks before it answers.
        (self.silence() * 2 + carrying).min(self.shared.patience.max(self.silence() * 2))
    }

    /// Calls until there is an answer that trying again does not change.
    pub(super) async fn ask<T, E, F>(&self, asked: Asked<'_>, call: impl Fn() -> F) -> Result<T, BlobError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let mut tries = Tries::new(self.shared.patience);
        loop {
            let trouble = match once(asked.limit, call()).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            self.go_on(asked, trouble, &mut tries).await?;
        }
    }

    /// After trouble: waits for the next try, or says what has become of it.
    pub(super) async fn go_on(
        &self,
        asked: Asked<'_>,
        trouble: StoreTrouble,
        tries: &mut Tries,
    ) -> Result<(), BlobError> {
        if trouble.meaning() == Meaning::Passing {
            tracing::debug!(action = asked.action, key = ?asked.key, %trouble, "the store had trouble");
            if tries.again().await {
                return Ok(());
            }
        }
        Err(self.failed(asked, trouble, tries.made))
    }

    pub(super) fn failed(&self, asked: Asked<'_>, trouble: StoreTrouble, tries: u32) -> BlobError {
        let place = Arc::clone(&self.shared.place);
        let action = asked.action;
        let what = asked.key.map_or_else(|| "the blobs".to_owned(), |key| format!("blob {key}"));
        match (trouble.meaning(), asked.key) {
            (Meaning::Passing, _) => BlobError::Unavailable { action, what, place, tries, source: trouble },
            (Meaning::NoBucket, _) | (Meaning::NoBlob, None) => BlobError::NoBucket { place },
            (Meaning::NoBlob, Some(key)) => BlobError::NotFound { key: key.clone() },
            (Meaning::Denied, _) => BlobError::Denied { action, what, place, source: trouble },
            (Meaning::NoUpload | Meaning::NoRange | Meaning::Final, _) => {
                BlobError::Refused { action, what, place, source: trouble }
            }
        }
    }
}

/// One try.
pub(super) async fn once<T, E>(
    limit: Duration,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, StoreTrouble>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(StoreTrouble::of),
        Err(_elapsed) => Err(StoreTrouble::Silent { limit }),
    }
}
