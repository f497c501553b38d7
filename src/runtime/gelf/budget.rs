//! Memory that all half-received messages of one door share.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Many times a message's limit, and little beside a worker's own memory.
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: AtomicUsize::new(BYTES_MAX) }
    }

    /// False: there is no room for so much now.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let taken = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    pub(super) fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}
