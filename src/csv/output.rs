//! A buffered writer for many short pieces.

use std::io::{self, Write};

use super::batch::SLACK;

const BUFFER_BYTES: usize = 256 * 1024;

/// Pieces up to this length are copied by moves of fixed size, which cost less than asking how long they are.
const SHORT_BYTES: usize = 32;

/// Collects pieces and hands them on in large writes.
#[derive(Debug)]
pub(super) struct Output<'a, W> {
    sink: &'a mut W,
    buffer: Vec<u8>,
    filled: usize,
    written: u64,
}

impl<'a, W: Write> Output<'a, W> {
    pub(super) fn new(sink: &'a mut W) -> Self {
        Self { sink, buffer: vec![0; BUFFER_BYTES + SLACK], filled: 0, written: 0 }
    }

    /// Takes `bytes[from..to]` and then the byte `last`. Fast when a few bytes follow the piece in `bytes`.
    #[inline]
    pub(super) fn push_ended(&mut self, bytes: &[u8], from: usize, to: usize, last: u8) -> io::Result<()> {
        let length = to - from;
        if self.filled + SHORT_BYTES > BUFFER_BYTES {
            self.flush()?;
        }
        let room = self.buffer.get_mut(self.filled..).and_then(|room| room.first_chunk_mut::<SHORT_BYTES>());
        let piece = bytes.get(from..).and_then(|tail| tail.first_chunk::<SHORT_BYTES>());
        let (Some(room), Some(piece), true) = (room, piece, length < SHORT_BYTES) else {
            self.push_slice(bytes.get(from..to).unwrap_or_default())?;
            return self.push_slice(&[last]);
        };
        *room = *piece;
        if let Some(end) = room.get_mut(length) {
            *end = last;
        }
        self.filled += length + 1;
        Ok(())
    }

    /// Takes a piece of any length.
    #[inline]
    pub(super) fn push_slice(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.filled + piece.len() > BUFFER_BYTES {
            self.flush()?;
            if piece.len() > BUFFER_BYTES / 2 {
                self.sink.write_all(piece)?;
                self.written += piece.len() as u64;
                return Ok(());
            }
        }
        if let Some(room) = self.buffer.get_mut(self.filled..self.filled + piece.len()) {
            room.copy_from_slice(piece);
            self.filled += piece.len();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.write_all(self.buffer.get(..self.filled).unwrap_or_default())?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Hands on what is left; returns the bytes of everything.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.written)
    }
}
