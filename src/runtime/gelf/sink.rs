//! Where messages go: into the spool, as long as the log's limit allows, from the right callers only.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Callers, GelfEnd};
use crate::runtime::{SpoolError, SpoolRecord, SpoolWriter, Stream};

/// What all connections of one door share.
#[derive(Debug)]
pub(super) struct Sink {
    spool: SpoolWriter,
    callers: Callers,
    door: IpAddr,
    bytes_max: u64,
    refused: AtomicU64,
    /// Told when nothing more is taken: the log is over its limit, or cannot be written.
    pub(super) full: CancellationToken,
}

impl Sink {
    pub(super) fn new(spool: SpoolWriter, callers: Callers, door: IpAddr, bytes_max: u64) -> Self {
        Self { spool, callers, door, bytes_max, refused: AtomicU64::new(0), full: CancellationToken::new() }
    }

    /// Whether somebody may send; who may not is counted, and the first one told to the operator.
    pub(super) fn admits(&self, caller: IpAddr) -> bool {
        let may = self.callers.may_call(caller, self.door);
        if !may && self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            warn!(%caller, door = %self.door, "somebody else than the job's container sends log messages: refused");
        }
        may
    }

    /// Keeps a message, whole and in plain.
    pub(super) async fn take(&self, message: Vec<u8>) -> Result<(), SpoolError> {
        if self.full.is_cancelled() || message.is_empty() {
            return Ok(());
        }
        let record = SpoolRecord { stream: Stream::Gelf, time: Timestamp::now(), bytes: message };
        let written = self.spool.append(&[record]).await;
        if written.is_err() || self.spool.said() > self.bytes_max {
            self.full.cancel();
        }
        written
    }

    pub(super) fn end(&self, incomplete: u64) -> GelfEnd {
        GelfEnd {
            refused: self.refused.load(Ordering::Relaxed),
            incomplete,
            excess: Some(self.spool.said()).filter(|said| *said > self.bytes_max),
        }
    }
}
