//! Writes a context as a tar archive, and hashes it on the way.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use tokio_util::sync::CancellationToken;

use super::{Context, ContextError, Entry, Kind, as_path};
use crate::image::build::key::hex;

/// 1980-01-01: one time for all files, as repositories keep none. Archives of other kinds cannot tell an earlier one.
const FILE_TIME: u64 = 315_532_800;

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::build) struct Written {
    /// SHA-256 of the archive: equal files give an equal one.
    pub(in crate::image::build) hash: String,
    pub(in crate::image::build) bytes: u64,
}

/// Writes everything to `sink`, unless somebody calls it off.
pub(in crate::image::build) fn write<W: Write>(
    context: &mut Context,
    sink: W,
    called_off: &CancellationToken,
) -> Result<Written, ContextError> {
    let mut builder = Builder::new(Hashing { sink, hash: Sha256::new(), bytes: 0 });
    let mut folders = BTreeSet::new();
    for entry in &context.entries {
        if called_off.is_cancelled() {
            return Err(ContextError::CalledOff);
        }
        for folder in parents(&entry.path) {
            if folders.insert(folder.to_vec()) {
                let mut header = header(EntryType::Directory, 0o755, 0);
                builder.append_data(&mut header, as_path(folder), io::empty()).map_err(written(entry))?;
            }
        }
        context.contents.with(entry, |bytes| append(&mut builder, entry, bytes))?;
    }
    let done = |source| ContextError::Io { action: "write", path: "the archive".into(), source };
    let mut hashing = builder.into_inner().map_err(done)?;
    hashing.sink.flush().map_err(done)?;
    Ok(Written { hash: hex(&hashing.hash.finalize()), bytes: hashing.bytes })
}

fn append<W: Write>(builder: &mut Builder<W>, entry: &Entry, bytes: &mut dyn Read) -> io::Result<()> {
    match entry.kind {
        Kind::File { is_executable } => {
            let mode = if is_executable { 0o755 } else { 0o644 };
            let mut header = header(EntryType::Regular, mode, entry.size);
            let bytes = Exactly { bytes, left: entry.size };
            builder.append_data(&mut header, as_path(&entry.path), bytes)
        }
        Kind::Special => Err(io::Error::other("it is no file")),
        Kind::Link => {
            let mut target = Vec::new();
            bytes.take(entry.size).read_to_end(&mut target)?;
            let mut header = header(EntryType::Symlink, 0o777, 0);
            builder.append_link(&mut header, as_path(&entry.path), as_path(&target))
        }
    }
}

/// No owner, no time: they differ from checkout to checkout.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(FILE_TIME);
    header.set_size(size);
    header
}

/// `a`, `a/b` of `a/b/c`.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_index, byte)| **byte == b'/');
    ends.filter_map(|(index, _byte)| path.get(..index))
}

fn written(entry: &Entry) -> impl FnOnce(io::Error) -> ContextError {
    let path = as_path(&entry.path).to_owned();
    move |source| ContextError::Io { action: "write", path, source }
}

/// As many bytes as the header says, or an error: anything else would shift what follows.
struct Exactly<'a> {
    bytes: &'a mut dyn Read,
    left: u64,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.bytes.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

struct Hashing<W> {
    sink: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
