//! The names of blobs. A key is parsed once; what was parsed can be joined to any root and never leaves it.

use std::fmt;

use super::BlobError;

/// A blob's name: `/`-separated parts of `A-Z a-z 0-9 . _ -`, no part empty or beginning with a dot.
///
/// The dot rule covers `.` and `..` and keeps the names a store needs for itself (`.scratch`) out of reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlobKey(String);

/// What S3 takes at most.
const KEY_BYTES_MAX: usize = 1024;
/// What common file systems take at most.
const PART_BYTES_MAX: usize = 255;

impl BlobKey {
    pub(crate) fn parse(text: impl Into<String>) -> Result<Self, BlobError> {
        let text = text.into();
        let legal = text.len() <= KEY_BYTES_MAX && text.split('/').all(is_legal_part);
        if legal { Ok(Self(text)) } else { Err(BlobError::Key { text }) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_legal_part(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= PART_BYTES_MAX
        && !part.starts_with('.')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
