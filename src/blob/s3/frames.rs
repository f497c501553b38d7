//! How a slice lies in a bucket: zstd frames that can be read one by one, in a form that `zstd -d` reads too.
//!
//! Each frame stands after a skippable frame that says how many bytes it has (as `pzstd` writes them), so a stream can
//! be cut into frames without looking into it. A last skippable frame says how many bytes there are in all: a blob
//! that was cut off lacks it.

use crate::blob::error::Damage;

/// Bytes of a table in one frame: large enough to compress well, small enough for several at once.
pub(super) const FRAME_BYTES: usize = 8 * 1024 * 1024;
/// Nobody writes larger ones, so a length above it is damage, not a reason to allocate.
const FRAME_BYTES_MAX: usize = 4 * FRAME_BYTES;
/// More costs more time than the network saves.
const ZSTD_LEVEL: i32 = 1;
const FRAME_MARK: u32 = 0x184D_2A50;
const END_MARK: u32 = 0x184D_2A5E;
/// Mark, length of the content, and the content: four bytes before a frame, eight at the end.
const MARK_BYTES: usize = 8;
const FRAME_HEAD_BYTES: usize = MARK_BYTES + 4;
const END_BYTES: usize = MARK_BYTES + 8;

/// One frame of `plain` with what stands before it.
pub(super) fn compress(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    let frame = compressor.compress(plain)?;
    let length = u32::try_from(frame.len()).map_err(std::io::Error::other)?;
    let mut whole = Vec::with_capacity(FRAME_HEAD_BYTES + frame.len());
    whole.extend(FRAME_MARK.to_le_bytes());
    whole.extend(4_u32.to_le_bytes());
    whole.extend(length.to_le_bytes());
    whole.extend(frame);
    Ok(whole)
}

/// What ends a blob of `plain_bytes`.
pub(super) fn end(plain_bytes: u64) -> [u8; END_BYTES] {
    let mut end = [0; END_BYTES];
    let parts =
        END_MARK.to_le_bytes().into_iter().chain(8_u32.to_le_bytes()).chain(plain_bytes.to_le_bytes());
    end.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    end
}

/// The bytes of one frame (without what stands before it); checked against the checksum in it.
pub(super) fn decompress(frame: &[u8]) -> Result<Vec<u8>, Damage> {
    let plain_bytes = plain_bytes_of(frame)?;
    zstd::bulk::decompress(frame, plain_bytes).map_err(|error| Damage::Frame { reason: error.to_string() })
}

/// How many bytes a frame says it has.
fn plain_bytes_of(frame: &[u8]) -> Result<usize, Damage> {
    let said = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    said.and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| *bytes <= FRAME_BYTES_MAX)
        .ok_or_else(|| Damage::Frame { reason: "it does not say how long it is".into() })
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    held: Vec<u8>,
    /// Of the frames so far.
    frames_bytes: u64,
    /// What the end said.
    plain_bytes: Option<u64>,
}

impl Splitter {
    /// Takes the next bytes of the stream; returns the frames that they complete.
    pub(super) fn push(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Damage> {
        if self.held.is_empty() {
            self.held = bytes;
        } else {
            self.held.extend(bytes);
        }
        let mut frames = Vec::new();
        let mut rest = self.held.as_slice();
        while let Some((frame, after)) = next(rest, &mut self.plain_bytes)? {
            if let Some(frame) = frame {
                self.frames_bytes += plain_bytes_of(frame)? as u64;
                frames.push(frame.to_vec());
            }
            rest = after;
        }
        self.held = rest.to_vec();
        Ok(frames)
    }

    /// After the last bytes: whether they were the last.
    pub(super) fn finish(&self) -> Result<(), Damage> {
        let is_whole = self.held.is_empty() && self.plain_bytes == Some(self.frames_bytes);
        if is_whole { Ok(()) } else { Err(Damage::Truncated) }
    }
}

type Next<'a> = Option<(Option<&'a [u8]>, &'a [u8])>;

/// The next frame (or, without one, the end) in `bytes` and what follows; `None` when there are too few bytes.
fn next<'a>(bytes: &'a [u8], plain_bytes: &mut Option<u64>) -> Result<Next<'a>, Damage> {
    let odd = |what: &str| Damage::Frame { reason: what.to_owned() };
    let Some((mark, after)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let Some((length, after)) = after.split_first_chunk::<4>() else { return Ok(None) };
    if plain_bytes.is_some() {
        return Err(odd("something follows the end"));
    }
    match (u32::from_le_bytes(*mark), u32::from_le_bytes(*length)) {
        (FRAME_MARK, 4) => {
            let Some((length, after)) = after.split_first_chunk::<4>() else { return Ok(None) };
            let length = u32::from_le_bytes(*length) as usize;
            if length > FRAME_BYTES_MAX {
                return Err(odd("it is too long"));
            }
            Ok(after.split_at_checked(length).map(|(frame, after)| (Some(frame), after)))
        }
        (END_MARK, 8) => {
            let Some((bytes, after)) = after.split_first_chunk::<8>() else { return Ok(None) };
            *plain_bytes = Some(u64::from_le_bytes(*bytes));
            Ok(Some((None, after)))
        }
        (_, _) => Err(odd("there is no frame where one must be")),
    }
}
