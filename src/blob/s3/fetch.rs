//! Ranges of a blob, fetched several at once and given in order. A connection that breaks in the middle of a range is
//! taken up again where it broke.

use std::ops::Range;

use futures_util::{Stream, StreamExt, stream};

use super::call::{Asked, once};
use super::tries::Tries;
use super::trouble::Meaning;
use super::{S3Store, SMALL_BYTES, StoreTrouble};
use crate::blob::error::Damage;
use crate::blob::{BlobError, BlobKey};

/// Bytes of one range: large enough that the way to the server does not count.
const RANGE_BYTES: u64 = 4 * 1024 * 1024;
const RANGES_AT_ONCE: usize = 3;
/// Where [`super::upload`] notes the checksum of a blob that lies as it is.
pub(super) const CHECKSUM: &str = "longshore-xxh3";

/// What every answer says of the whole blob.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) bytes: u64,
    /// Changes with the blob's bytes, which never happens to a key that is used once.
    etag: Option<String>,
    pub(super) checksum: Option<u64>,
}

/// The beginning of a blob.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    pub(super) about: About,
}

impl Fetched {
    pub(super) fn is_whole(&self) -> bool {
        self.bytes.len() as u64 >= self.about.bytes
    }
}

/// Why a range broke off.
enum Broken {
    Trouble(StoreTrouble),
    Damaged(Damage),
}

impl From<StoreTrouble> for Broken {
    fn from(trouble: StoreTrouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl S3Store {
    /// The first bytes of a blob, and with them how long it is.
    pub(super) async fn first(&self, key: &BlobKey) -> Result<Fetched, BlobError> {
        self.fetch(key, 0..SMALL_BYTES, None).await
    }

    /// All bytes after the first ones, in order.
    pub(super) fn rest(
        self,
        key: BlobKey,
        begun: u64,
        about: About,
    ) -> impl Stream<Item = Result<Vec<u8>, BlobError>> {
        let ranges = std::iter::successors(Some(begun), |start| Some(start + RANGE_BYTES));
        let ranges = ranges.take_while(move |start| *start < about.bytes);
        stream::iter(ranges)
            .map(move |start| {
                let (store, key, about) = (self.clone(), key.clone(), about.clone());
                async move {
                    let end = about.bytes.min(start + RANGE_BYTES);
                    store.fetch(&key, start..end, Some(about)).await.map(|fetched| fetched.bytes)
                }
            })
            .buffered(RANGES_AT_ONCE)
    }

    async fn fetch(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        known: Option<About>,
    ) -> Result<Fetched, BlobError> {
        let asked = Asked { action: "read", key: Some(key), limit: self.silence() };
        let mut tries = Tries::new(self.shared.patience);
        let mut known = known;
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let broken = match self.fetch_on(asked, &range, &mut bytes, &mut known).await {
                Ok(about) => return Ok(Fetched { bytes, about }),
                Err(Broken::Damaged(how)) => return Err(BlobError::Damaged { key: key.clone(), how }),
                Err(Broken::Trouble(trouble)) => trouble,
            };
            // A server that says so of a whole blob says that it is empty.
            if broken.meaning() == Meaning::NoRange && range.start == 0 && bytes.is_empty() {
                return Ok(Fetched { bytes, about: About::default() });
            }
            if bytes.len() > before {
                tries.went_on();
            }
            self.go_on(asked, broken, &mut tries).await?;
        }
    }

    /// One try: what is lacking of the range is added to `bytes`.
    async fn fetch_on(
        &self,
        asked: Asked<'_>,
        range: &Range<u64>,
        bytes: &mut Vec<u8>,
        known: &mut Option<About>,
    ) -> Result<About, Broken> {
        let Some(key) = asked.key else { return Ok(About::default()) };
        let start = range.start + bytes.len() as u64;
        let call = self
            .shared
            .client
            .get_object()
            .bucket(&self.shared.place.bucket)
            .key(self.object(key))
            .range(format!("bytes={start}-{}", range.end - 1));
        let mut answer = once(asked.limit, call.send()).await?;
        let metadata = answer.metadata();
        let checksum = metadata.and_then(|metadata| u64::from_str_radix(metadata.get(CHECKSUM)?, 16).ok());
        let about = About { bytes: total_of(&answer), etag: answer.e_tag().map(str::to_owned), checksum };
        let expected = known.get_or_insert_with(|| about.clone());
        if (about.bytes, &about.etag) != (expected.bytes, &expected.etag) {
            return Err(Broken::Damaged(Damage::Changed));
        }
        let end = range.end.min(about.bytes);
        bytes.reserve_exact(usize::try_from(end.saturating_sub(start)).unwrap_or(0));
        loop {
            match tokio::time::timeout(asked.limit, answer.body.next()).await {
                Err(_elapsed) => return Err(StoreTrouble::Silent { limit: asked.limit }.into()),
                Ok(None) => break,
                Ok(Some(Ok(more))) => bytes.extend_from_slice(&more),
                Ok(Some(Err(error))) => {
                    return Err(StoreTrouble::Connection { source: Box::new(error) }.into());
                }
            }
        }
        let got = range.start + bytes.len() as u64;
        if got < end {
            return Err(StoreTrouble::CutOff.into());
        }
        if got > end { Err(Broken::Damaged(Damage::Changed)) } else { Ok(about) }
    }
}

/// Bytes of the whole blob: after the slash of `bytes 0-9/1000`, or the answer's own where it is the whole blob.
fn total_of(answer: &aws_sdk_s3::operation::get_object::GetObjectOutput) -> u64 {
    let ranged = answer.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
    ranged.unwrap_or_else(|| answer.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
}
