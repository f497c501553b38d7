//! One upload in parts. As long as it is neither finished nor given up it lies in the bucket and costs space, so
//! dropping it gives it up.

use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::call::Asked;
use super::trouble::Meaning;
use super::upload::{copy_of, metadata};
use super::{S3Store, StoreTrouble};
use crate::blob::{BlobError, BlobKey};

/// Parts on their way.
const PARTS_AT_ONCE: usize = 2;

pub(super) struct Multipart {
    /// Stopped before the upload is given up, being dropped first.
    sending: FuturesUnordered<BoxFuture<'static, Result<CompletedPart, BlobError>>>,
    sent: Vec<CompletedPart>,
    parts: i32,
    bytes: u64,
    open: Open,
}

/// Gives the upload up unless it is closed.
struct Open {
    store: S3Store,
    key: BlobKey,
    id: String,
    is_open: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let (store, key, id) = (self.store.clone(), self.key.clone(), std::mem::take(&mut self.id));
        let aborting = async move {
            if let Err(error) = store.abort(&key, &id).await {
                tracing::warn!(%key, error = %error, "an unfinished upload is left to gc");
            }
        };
        self.store.shared.aborting.spawn_on(aborting, &self.store.shared.runtime);
    }
}

impl Multipart {
    /// A first try whose answer is lost leaves an upload that only gc finds.
    pub(super) async fn begin(
        store: &S3Store,
        key: &BlobKey,
        checksum: Option<u64>,
    ) -> Result<Self, BlobError> {
        let asked = Asked { action: "begin to store", key: Some(key), limit: store.limit_of(0) };
        let object = store.object(key);
        let beginning = || {
            let call = store.shared.client.create_multipart_upload();
            call.bucket(&store.shared.place.bucket)
                .key(&object)
                .set_metadata(metadata(checksum))
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .send()
        };
        let begun = store.ask(asked, beginning).await?;
        let id = begun.upload_id().unwrap_or_default().to_owned();
        let open = Open { store: store.clone(), key: key.clone(), id, is_open: true };
        Ok(Self { sending: FuturesUnordered::new(), sent: Vec::new(), parts: 0, bytes: 0, open })
    }

    /// Sends the next part; returns when there is room for another.
    pub(super) async fn push(&mut self, part: Vec<u8>) -> Result<(), BlobError> {
        self.parts += 1;
        self.bytes += part.len() as u64;
        let (store, key, id) = (self.open.store.clone(), self.open.key.clone(), self.open.id.clone());
        self.sending.push(Box::pin(send(store, key, id, self.parts, part)));
        while self.sending.len() > PARTS_AT_ONCE {
            self.next_sent().await?;
        }
        Ok(())
    }

    /// Sends the last part and makes all of them the blob.
    pub(super) async fn finish(mut self, last: Vec<u8>) -> Result<(), BlobError> {
        let finished = async {
            self.push(last).await?;
            while !self.sending.is_empty() {
                self.next_sent().await?;
            }
            self.complete().await
        };
        match finished.await {
            Ok(()) => {
                self.open.is_open = false;
                Ok(())
            }
            Err(error) => {
                self.give_up().await;
                Err(error)
            }
        }
    }

    /// Removes what was sent. When that fails, gc finds it.
    pub(super) async fn give_up(mut self) {
        self.sending.clear();
        if let Err(error) = self.open.store.abort(&self.open.key, &self.open.id).await {
            tracing::warn!(key = %self.open.key, error = %error, "an unfinished upload is left to gc");
        }
        self.open.is_open = false;
    }

    async fn next_sent(&mut self) -> Result<(), BlobError> {
        if let Some(sent) = self.sending.next().await {
            self.sent.push(sent?);
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), BlobError> {
        let Open { store, key, id, .. } = &self.open;
        let (store, key) = (store.clone(), key.clone());
        self.sent.sort_unstable_by_key(CompletedPart::part_number);
        let parts =
            CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.sent))).build();
        // Some servers put the parts together before they answer.
        let asked = Asked { action: "finish storing", key: Some(&key), limit: store.limit_of(0) * 4 };
        let object = store.object(&key);
        let completing = || {
            let call = store.shared.client.complete_multipart_upload();
            call.bucket(&store.shared.place.bucket)
                .key(&object)
                .upload_id(id)
                .multipart_upload(parts.clone())
                .send()
        };
        match store.ask(asked, completing).await {
            Ok(_finished) => Ok(()),
            // The first try was heard, and its answer lost.
            Err(BlobError::Refused { source, .. })
                if source.meaning() == Meaning::NoUpload && self.is_there().await? =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn is_there(&mut self) -> Result<bool, BlobError> {
        let Open { store, key, .. } = &self.open;
        let bytes = self.bytes;
        let asked = Asked { action: "look at", key: Some(key), limit: store.silence() };
        let object = store.object(key);
        let looking =
            || store.shared.client.head_object().bucket(&store.shared.place.bucket).key(&object).send();
        match store.ask(asked, looking).await {
            Ok(found) => {
                Ok(found.content_length().and_then(|bytes| u64::try_from(bytes).ok()) == Some(bytes))
            }
            Err(BlobError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

async fn send(
    store: S3Store,
    key: BlobKey,
    id: String,
    number: i32,
    part: Vec<u8>,
) -> Result<CompletedPart, BlobError> {
    let asked = Asked { action: "store a part of", key: Some(&key), limit: store.limit_of(part.len()) };
    let body = SdkBody::from(part);
    let object = store.object(&key);
    let sending = || {
        let call = store
            .shared
            .client
            .upload_part()
            .bucket(&store.shared.place.bucket)
            .key(&object)
            .upload_id(&id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32C)
            .body(copy_of(&body));
        // The signed checksum speaks for the body, which need not be hashed once more.
        call.customize().disable_payload_signing().send()
    };
    let sent: UploadPartOutput = store.ask(asked, sending).await?;
    let Some(etag) = sent.e_tag() else {
        return Err(store.failed(asked, StoreTrouble::CutOff, 1));
    };
    let part = CompletedPart::builder()
        .part_number(number)
        .e_tag(etag)
        .set_checksum_crc32_c(sent.checksum_crc32_c().map(str::to_owned));
    Ok(part.build())
}
