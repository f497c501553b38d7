//! A local file as the bytes that its blob has in the store, a piece at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use xxhash_rust::xxh3::Xxh3Default;

use super::frames::{self, FRAME_BYTES};
use crate::blob::error::io_error;
use crate::blob::{BlobError, BlobKey, blocking};

/// Each compresses on a core of its own.
const FRAMES_AT_ONCE: usize = 2;

/// Whether a blob is compressed in frames: slices are, everything else lies as it is.
pub(super) fn is_framed(key: &BlobKey) -> bool {
    key.as_str().ends_with(".csv")
}

/// A file that is being stored.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) key: BlobKey,
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Outgoing {
    /// The bytes to store.
    pub(super) fn pieces(&self) -> BoxStream<'static, Result<Vec<u8>, BlobError>> {
        let starts = std::iter::successors(Some(0), |start| Some(start + FRAME_BYTES as u64));
        let bytes = self.bytes;
        let starts = starts.take_while(move |start| *start < bytes);
        let is_framed = is_framed(&self.key);
        let outgoing = self.clone();
        let pieces = stream::iter(starts).map(move |start| {
            let outgoing = outgoing.clone();
            blocking(outgoing.key.to_string(), move || {
                let plain = outgoing.read(start)?;
                if !is_framed {
                    return Ok(plain);
                }
                frames::compress(&plain).map_err(io_error("compress", &outgoing.path))
            })
        });
        let end = is_framed.then(|| Ok(frames::end(self.bytes).to_vec()));
        pieces.buffered(FRAMES_AT_ONCE).chain(stream::iter(end)).boxed()
    }

    /// All of it; for small files.
    pub(super) async fn whole(&self) -> Result<Vec<u8>, BlobError> {
        let mut pieces = self.pieces();
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next().await {
            whole.extend(piece?);
        }
        Ok(whole)
    }

    /// What the metadata says of a blob that lies as it is. Reads the file.
    pub(super) async fn checksum(&self) -> Result<u64, BlobError> {
        let outgoing = self.clone();
        blocking(self.key.to_string(), move || {
            let mut hash = Xxh3Default::new();
            let mut start = 0;
            while start < outgoing.bytes {
                let piece = outgoing.read(start)?;
                hash.update(&piece);
                start += piece.len() as u64;
            }
            Ok(hash.digest())
        })
        .await
    }

    fn read(&self, start: u64) -> Result<Vec<u8>, BlobError> {
        let length = usize::try_from(self.bytes - start).unwrap_or(FRAME_BYTES).min(FRAME_BYTES);
        let mut piece = vec![0; length];
        self.file.read_exact_at(&mut piece, start).map_err(io_error("read", &self.path))?;
        Ok(piece)
    }
}
