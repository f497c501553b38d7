//! Telling whoever watches how far long work on tables is.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes between two reports of one reader: often enough for a smooth bar, too seldom to cost anything.
const REPORT_BYTES: u64 = 4 * 1024 * 1024;

/// What was done since the last report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub rows: u64,
    pub bytes: u64,
}

/// Where reports go. Called from several threads at once, so it must be quick and never block.
#[derive(Clone)]
pub(crate) struct ProgressSink(Arc<dyn Fn(Progress) + Send + Sync>);

impl ProgressSink {
    pub(crate) fn new(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    /// For work nobody watches.
    pub(crate) fn silent() -> Self {
        Self::new(|_progress| ())
    }

    pub(super) fn report(&self, progress: Progress) {
        (self.0)(progress);
    }

    pub(super) fn rows(&self, rows: u64) {
        self.report(Progress { rows, bytes: 0 });
    }

    pub(super) fn bytes(&self, bytes: u64) {
        self.report(Progress { rows: 0, bytes });
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressSink")
    }
}

/// A reader that reports the bytes read through it, and the rows that were made of them meanwhile.
pub(super) struct Watched<R> {
    inner: R,
    sink: ProgressSink,
    unreported: u64,
    rows_read: Arc<AtomicU64>,
    rows_reported: u64,
}

impl<R: Read> Watched<R> {
    pub(super) fn new(inner: R, sink: ProgressSink) -> Self {
        Self::of_rows(inner, sink, &Arc::default())
    }

    /// With the count that whoever makes rows of the bytes keeps.
    pub(super) fn of_rows(inner: R, sink: ProgressSink, rows_read: &Arc<AtomicU64>) -> Self {
        let rows_reported = rows_read.load(Ordering::Relaxed);
        Self { inner, sink, unreported: 0, rows_read: Arc::clone(rows_read), rows_reported }
    }

    fn report(&mut self) {
        let rows_read = self.rows_read.load(Ordering::Relaxed);
        let rows = rows_read - std::mem::replace(&mut self.rows_reported, rows_read);
        self.sink.report(Progress { rows, bytes: std::mem::take(&mut self.unreported) });
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.unreported += count as u64;
        if self.unreported >= REPORT_BYTES || (count == 0 && self.unreported > 0) {
            self.report();
        }
        Ok(count)
    }
}
