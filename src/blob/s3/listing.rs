//! What lies in the bucket: blobs, and uploads that were never finished.

use std::time::Duration;

use aws_sdk_s3::primitives::DateTime;
use jiff::Timestamp;

use super::call::{Asked, once};
use super::trouble::Meaning;
use super::{S3Store, Shared};
use crate::blob::{BlobError, BlobInfo, BlobKey};

/// Whoever asks whether we are ready wants to know it now.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// An upload in parts that was begun and neither finished nor given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    pub key: BlobKey,
    pub begun: Timestamp,
    /// The server's name for it.
    id: String,
}

impl S3Store {
    pub(in crate::blob) async fn check(&self) -> Result<(), BlobError> {
        let asked = Asked { action: "look into", key: None, limit: CHECK_LIMIT };
        let Shared { client, place, prefix, .. } = &*self.shared;
        let looking = client.list_objects_v2().bucket(&place.bucket).prefix(prefix).max_keys(1).send();
        match once(asked.limit, looking).await {
            Ok(_some) => Ok(()),
            Err(trouble) => Err(self.failed(asked, trouble, 1)),
        }
    }

    pub(in crate::blob) async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        if let Some((folder, _)) = prefix.rsplit_once('/') {
            BlobKey::parse(folder)?;
        }
        let asked = Asked { action: "list", key: None, limit: self.silence() };
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let listing = || {
                let call = self.shared.client.list_objects_v2().bucket(&self.shared.place.bucket);
                call.prefix(format!("{}{prefix}", self.shared.prefix))
                    .set_continuation_token(next.clone())
                    .send()
            };
            let page = self.ask(asked, listing).await?;
            for object in page.contents() {
                let Some(key) = object.key().and_then(|name| self.key_of(name)) else { continue };
                let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
                found.push(BlobInfo { key, bytes, modified: moment(object.last_modified()) });
            }
            next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        // Servers sort by bytes; keys are compared the same way, but who knows of every server.
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    pub(in crate::blob) async fn unfinished(&self, before: Timestamp) -> Result<Vec<Unfinished>, BlobError> {
        let asked = Asked { action: "list unfinished uploads of", key: None, limit: self.silence() };
        let mut found = Vec::new();
        let mut next = (None, None);
        loop {
            let listing = || {
                let call = self.shared.client.list_multipart_uploads().bucket(&self.shared.place.bucket);
                call.prefix(&self.shared.prefix)
                    .set_key_marker(next.0.clone())
                    .set_upload_id_marker(next.1.clone())
                    .send()
            };
            let page = self.ask(asked, listing).await?;
            for upload in page.uploads() {
                let key = upload.key().and_then(|name| self.key_of(name));
                let (Some(key), Some(id)) = (key, upload.upload_id()) else { continue };
                let begun = moment(upload.initiated());
                if begun < before {
                    found.push(Unfinished { key, begun, id: id.to_owned() });
                }
            }
            let markers = (page.next_key_marker(), page.next_upload_id_marker());
            let after = (markers.0.map(str::to_owned), markers.1.map(str::to_owned));
            if page.is_truncated() != Some(true) || after == next {
                return Ok(found);
            }
            next = after;
        }
    }

    pub(in crate::blob) async fn abort_unfinished(&self, upload: &Unfinished) -> Result<(), BlobError> {
        self.abort(&upload.key, &upload.id).await
    }

    pub(super) async fn abort(&self, key: &BlobKey, id: &str) -> Result<(), BlobError> {
        let asked = Asked { action: "give up storing", key: Some(key), limit: self.silence() };
        let object = self.object(key);
        let aborting = || {
            let call = self.shared.client.abort_multipart_upload();
            call.bucket(&self.shared.place.bucket).key(&object).upload_id(id).send()
        };
        match self.ask(asked, aborting).await {
            Ok(_aborted) => Ok(()),
            Err(BlobError::NotFound { .. }) => Ok(()),
            Err(BlobError::Refused { source, .. }) if source.meaning() == Meaning::NoUpload => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The key of an object; `None` for what is no blob of ours.
    fn key_of(&self, object: &str) -> Option<BlobKey> {
        BlobKey::parse(object.strip_prefix(&self.shared.prefix)?).ok()
    }
}

/// A time that nobody told counts as very old, one that no calendar has too.
fn moment(told: Option<&DateTime>) -> Timestamp {
    let nanoseconds = told.map_or(0, DateTime::as_nanos);
    Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
