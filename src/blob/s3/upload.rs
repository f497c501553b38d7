//! Files into the bucket: a small one in one call, a large one in parts, of which few are on their way at once.

use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::ChecksumAlgorithm;
use futures_util::StreamExt;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::call::Asked;
use super::fetch::CHECKSUM;
use super::multipart::Multipart;
use super::pieces::{Outgoing, is_framed};
use super::{S3Store, SMALL_BYTES};
use crate::blob::error::io_error;
use crate::blob::put::open_plain;
use crate::blob::{BlobError, BlobKey, Source, blocking};

/// A part is held until the server has it. Two on their way are as fast as eight.
const PART_BYTES: usize = 16 * 1024 * 1024;
/// Servers take 10 000; larger files get larger parts.
const PARTS_MAX: u64 = 9_000;

impl S3Store {
    /// Stores a file. An upload that fails, or whose future is dropped, is given up, so that its parts do not stay.
    pub(in crate::blob) async fn put_file(
        &self,
        key: &BlobKey,
        path: &Path,
        source: Source,
    ) -> Result<u64, BlobError> {
        let (file, bytes) = {
            let path = path.to_owned();
            let opening = move || open_plain(&path).map(|(file, bytes, _has_other_names)| (file, bytes));
            blocking(key.to_string(), opening).await?
        };
        let outgoing = Outgoing { key: key.clone(), file: Arc::new(file), path: path.to_owned(), bytes };
        if bytes <= SMALL_BYTES {
            let _permit = self.shared.small.acquire().await;
            let whole = outgoing.whole().await?;
            let checksum = (!is_framed(key)).then(|| xxh3_64(&whole));
            self.put_object(key, whole, checksum).await?;
        } else {
            let _permit = self.shared.large.acquire().await;
            self.put_large(&outgoing).await?;
        }
        if source == Source::Move {
            let path = path.to_owned();
            // The bytes are stored; what stays behind is in a folder that its owner clears.
            blocking(key.to_string(), move || Ok(std::fs::remove_file(&path).ok())).await?;
        }
        Ok(bytes)
    }

    async fn put_large(&self, outgoing: &Outgoing) -> Result<(), BlobError> {
        let key = &outgoing.key;
        // The metadata is sent before the bytes, so they are read twice.
        let checksum = if is_framed(key) { None } else { Some(outgoing.checksum().await?) };
        let part_bytes = PART_BYTES.max(usize::try_from(outgoing.bytes / PARTS_MAX).unwrap_or(PART_BYTES));
        let mut upload = None;
        let sent = self.send(outgoing, checksum, part_bytes, &mut upload).await;
        match (sent, upload) {
            (Ok(last), None) => self.put_object(key, last, checksum).await,
            (Ok(last), Some(upload)) => {
                let upload: Multipart = upload;
                upload.finish(last).await
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(upload)) => {
                upload.give_up().await;
                Err(error)
            }
        }
    }

    /// Sends all parts but the last, which it returns. There is no upload before there is a second part.
    async fn send(
        &self,
        outgoing: &Outgoing,
        checksum: Option<u64>,
        part_bytes: usize,
        upload: &mut Option<Multipart>,
    ) -> Result<Vec<u8>, BlobError> {
        let mut pieces = outgoing.pieces();
        let mut part =
            Vec::with_capacity(part_bytes.min(usize::try_from(outgoing.bytes).unwrap_or(part_bytes)));
        let mut hash = checksum.map(|_checksum| Box::new(Xxh3Default::new()));
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            if let Some(hash) = &mut hash {
                hash.update(&piece);
            }
            if part.len() + piece.len() > part_bytes && !part.is_empty() {
                let full = std::mem::replace(&mut part, Vec::with_capacity(part_bytes));
                let upload = match upload {
                    Some(upload) => upload,
                    None => upload.insert(Multipart::begin(self, &outgoing.key, checksum).await?),
                };
                upload.push(full).await?;
            }
            part.extend(piece);
        }
        if hash.map(|hash| hash.digest()) != checksum {
            let changed = io::Error::new(io::ErrorKind::InvalidData, "it changed while it was stored");
            return Err(io_error("read", &outgoing.path)(changed));
        }
        Ok(part)
    }

    async fn put_object(
        &self,
        key: &BlobKey,
        bytes: Vec<u8>,
        checksum: Option<u64>,
    ) -> Result<(), BlobError> {
        let asked = Asked { action: "store", key: Some(key), limit: self.limit_of(bytes.len()) };
        let body = SdkBody::from(bytes);
        let object = self.object(key);
        let metadata = metadata(checksum);
        let putting = || {
            let call = self
                .shared
                .client
                .put_object()
                .bucket(&self.shared.place.bucket)
                .key(&object)
                .set_metadata(metadata.clone())
                .checksum_algorithm(ChecksumAlgorithm::Crc32C)
                .body(copy_of(&body));
            // The signed checksum speaks for the body, which need not be hashed once more.
            call.customize().disable_payload_signing().send()
        };
        self.ask(asked, putting).await.map(|_stored| ())
    }
}

/// Of a blob that lies as it is.
pub(super) fn metadata(checksum: Option<u64>) -> Option<std::collections::HashMap<String, String>> {
    checksum.map(|checksum| [(CHECKSUM.to_owned(), format!("{checksum:016x}"))].into())
}

/// Bytes in memory are shared, not copied.
pub(super) fn copy_of(body: &SdkBody) -> ByteStream {
    ByteStream::new(body.try_clone().unwrap_or_else(SdkBody::taken))
}
