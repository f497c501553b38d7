//! One blob as a stream of bytes.

use std::fs::File;
use std::io::{self, Read};

use super::s3::RemoteReader;

/// Reads a blob from its start. Blocks: read it on a blocking thread.
#[derive(Debug)]
pub(crate) enum BlobReader {
    /// A file of its own, which the kernel can copy from.
    File(File),
    Remote(RemoteReader),
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Remote(reader) => reader.read(buffer),
        }
    }
}
