//! A blob as a stream of bytes for a blocking thread, fetched (and decompressed) ahead of whoever reads.
//! Holds some 50 MiB of a large blob, whatever its size.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::pin::pin;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::Xxh3Default;

use super::fetch::Fetched;
use super::frames::{self, Splitter};
use super::{S3Store, pieces};
use crate::blob::error::{Damage, io_error};
use crate::blob::{BlobError, BlobKey, blocking};

/// Two cores may decompress while a third thread reads.
const FRAMES_AT_ONCE: usize = 2;

/// Reads one blob from its start; says when it is not what was stored.
pub(crate) struct RemoteReader {
    /// An empty chunk is the end: the channel alone also closes when the fetching was stopped.
    chunks: mpsc::Receiver<Result<Vec<u8>, BlobError>>,
    chunk: io::Cursor<Vec<u8>>,
    /// The checksum so far, and what it must be; for blobs whose bytes do not check themselves.
    check: Option<(Box<Xxh3Default>, u64)>,
    key: BlobKey,
    is_over: bool,
    /// Stops fetching when nobody reads any more.
    _feeding: JoinSet<()>,
}

impl fmt::Debug for RemoteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteReader").field("key", &self.key).finish_non_exhaustive()
    }
}

impl S3Store {
    pub(in crate::blob) fn open(&self, key: &BlobKey) -> Result<RemoteReader, BlobError> {
        let first = self.shared.runtime.block_on(self.first(key))?;
        Ok(self.reader(key, first))
    }

    pub(super) fn reader(&self, key: &BlobKey, first: Fetched) -> RemoteReader {
        // One chunk waits while another is read and others are made.
        let (sender, chunks) = mpsc::channel(1);
        let is_framed = pieces::is_framed(key);
        let check = first.about.checksum.filter(|_checksum| !is_framed);
        let check = check.map(|expected| (Box::new(Xxh3Default::new()), expected));
        let mut feeding = JoinSet::new();
        let (store, fed) = (self.clone(), key.clone());
        feeding.spawn_on(
            async move {
                let begun = first.bytes.len() as u64;
                let rest = store.rest(fed.clone(), begun, first.about);
                let stored = stream::once(async { Ok(first.bytes) }).chain(rest);
                if is_framed {
                    feed(plain(stored, &fed), &sender).await;
                } else {
                    feed(stored, &sender).await;
                }
            },
            &self.shared.runtime,
        );
        let (key, chunk) = (key.clone(), io::Cursor::default());
        RemoteReader { chunks, chunk, check, key, is_over: false, _feeding: feeding }
    }
}

/// Until the end, which is an empty chunk, the first error, or until nobody listens.
async fn feed(
    chunks: impl Stream<Item = Result<Vec<u8>, BlobError>>,
    sender: &mpsc::Sender<Result<Vec<u8>, BlobError>>,
) {
    let mut chunks = pin!(chunks);
    while let Some(chunk) = chunks.next().await {
        if chunk.as_ref().is_ok_and(Vec::is_empty) {
            continue;
        }
        let is_last = chunk.is_err();
        if sender.send(chunk).await.is_err() || is_last {
            return;
        }
    }
    // Should nobody listen any more, nobody misses the end.
    sender.send(Ok(Vec::new())).await.ok();
}

/// The plain bytes of a framed blob, a frame at a time.
fn plain(
    stored: impl Stream<Item = Result<Vec<u8>, BlobError>>,
    key: &BlobKey,
) -> impl Stream<Item = Result<Vec<u8>, BlobError>> {
    let of_frame = key.clone();
    let decompressed = split(stored, key.clone()).map(move |frame| {
        let key = of_frame.clone();
        async move {
            let frame = frame?;
            let damaged = key.clone();
            blocking(key.to_string(), move || {
                frames::decompress(&frame).map_err(|how| BlobError::Damaged { key: damaged, how })
            })
            .await
        }
    });
    decompressed.buffered(FRAMES_AT_ONCE)
}

/// Where the cutting of a stream into frames has come to.
struct Splitting<S> {
    stored: std::pin::Pin<Box<S>>,
    splitter: Splitter,
    ready: VecDeque<Vec<u8>>,
}

fn split<S: Stream<Item = Result<Vec<u8>, BlobError>>>(
    stored: S,
    key: BlobKey,
) -> impl Stream<Item = Result<Vec<u8>, BlobError>> {
    let begin = Splitting { stored: Box::pin(stored), splitter: Splitter::default(), ready: VecDeque::new() };
    stream::try_unfold(begin, move |mut splitting| {
        let key = key.clone();
        async move {
            let damaged = |how| BlobError::Damaged { key: key.clone(), how };
            loop {
                if let Some(frame) = splitting.ready.pop_front() {
                    return Ok(Some((frame, splitting)));
                }
                match splitting.stored.next().await {
                    Some(bytes) => splitting.ready.extend(splitting.splitter.push(bytes?).map_err(damaged)?),
                    None => return splitting.splitter.finish().map(|()| None).map_err(damaged),
                }
            }
        }
    })
}

impl Read for RemoteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) if chunk.is_empty() => {
                    self.chunks.close();
                    self.is_over = true;
                    return self.end().map(|()| 0).map_err(io::Error::other);
                }
                Some(Ok(chunk)) => {
                    if let Some((hash, _expected)) = &mut self.check {
                        hash.update(&chunk);
                    }
                    self.chunk = io::Cursor::new(chunk);
                }
                Some(Err(error)) => return Err(io::Error::other(error)),
                None if self.is_over => return Ok(0),
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "fetching it was stopped")),
            }
        }
    }
}

impl RemoteReader {
    fn end(&mut self) -> Result<(), BlobError> {
        match self.check.take() {
            Some((hash, expected)) if hash.digest() != expected => {
                Err(BlobError::Damaged { key: self.key.clone(), how: Damage::Checksum })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// An error of copying from a reader: the store's own where it is that, else one of the file at `path`.
pub(super) fn failed(error: io::Error, action: &'static str, path: &Path) -> BlobError {
    error.downcast::<BlobError>().unwrap_or_else(io_error(action, path))
}
