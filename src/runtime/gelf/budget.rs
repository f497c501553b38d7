//! Memory that all messages of one door share until they lie in the spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Many times a message's limit, and little beside a worker's own memory.
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

/// Bytes that one message has of a budget; given back when it is dropped, also by a connection that broke off.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: AtomicUsize::new(BYTES_MAX) }
    }

    /// Nothing of it yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Share {
    /// False: there is no room for so much more now.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let taken = |left: usize| left.checked_sub(bytes);
        let has_room = self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok();
        self.bytes += if has_room { bytes } else { 0 };
        has_room
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
