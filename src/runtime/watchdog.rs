//! Measures what a component writes to disk while it runs, and once more afterwards: the sooner, the faster the disk
//! fills and the closer the limit is.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::disk_guard::{DiskGuard, Growth, Room};
use super::image_files::ImageFiles;
use super::measure::{self, Added, Place, Weight, WriteLimits};
use crate::engine::Engine;
use crate::job::BadExit;

/// Asking a file system for its room costs next to nothing.
const TICK: Duration = Duration::from_millis(100);
/// While nothing speaks for looking sooner.
const PAUSE: Duration = Duration::from_secs(1);
/// So much of the time may go into walking through folders, as one part of this.
const WALK_SHARE: u32 = 4;
/// The disk's room is looked at again when so much of what the component may still write has gone from it.
const HASTE: u64 = 8;
/// What was added within this time counts as of late.
const LATE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Watchdog {
    pub(super) engine: Engine,
    pub(super) id: String,
    pub(super) data_folder: PathBuf,
    /// What was there before the start.
    pub(super) before: Weight,
    pub(super) limits: WriteLimits,
    pub(super) is_root_writable: bool,
    pub(super) guard: DiskGuard,
    /// Bytes of the log that are spooled beside the data folder.
    pub(super) spooled: watch::Receiver<u64>,
}

/// What the last look at the folders found.
#[derive(Debug)]
struct Seen {
    at: Instant,
    took: Duration,
    added: Added,
    /// Free on the disk of the data folder.
    free_bytes: u64,
    /// What was added until when, not older than [`LATE`] but for the first.
    history: VecDeque<(Instant, Growth)>,
}

impl Watchdog {
    /// Measures until a limit is exceeded or the container has ended, and then once more: a container may write
    /// everything in its last moment.
    pub(super) async fn watch(self, ended: CancellationToken) -> io::Result<Option<BadExit>> {
        let writer = self.guard.enter(&self.id);
        let mut image_files = ImageFiles::new(self.is_root_writable);
        let mut seen = Seen::begin(self.room().await?.free_bytes);
        loop {
            let last = timeout(TICK, ended.cancelled()).await.is_ok();
            let room = self.room().await?;
            if !last && !seen.is_due(room, self.limits.bytes_max, self.guard.is_low(room)) {
                continue;
            }
            let excess = self.look(&mut seen, room).await?;
            if excess.is_some() || last {
                return Ok(excess);
            }
            // What it changed in the image's files is gone with the container, so the last moment does not count.
            let found = ended.run_until_cancelled(image_files.look(&self.engine, &self.id, self.limits));
            let (in_image, excess) = found.await.unwrap_or_default();
            let added = seen.sum(in_image, *self.spooled.borrow());
            writer.note(seen.growth(added));
            let disks = [Some(room), image_files.room];
            let excess =
                excess.or_else(|| disks.into_iter().flatten().find_map(|room| writer.blame(room, added)));
            if excess.is_some() {
                return Ok(excess);
            }
        }
    }

    async fn look(&self, seen: &mut Seen, room: Room) -> io::Result<Option<BadExit>> {
        let (folder, before, limits) = (self.data_folder.clone(), self.before, self.limits);
        let since = Instant::now();
        let measured =
            tokio::task::spawn_blocking(move || measure::measure(&folder, Place::DataFolder, before, limits));
        let (added, excess) = measured.await.map_err(io::Error::other)??;
        *seen = Seen {
            at: Instant::now(),
            took: since.elapsed(),
            added,
            free_bytes: room.free_bytes,
            history: std::mem::take(&mut seen.history),
        };
        Ok(excess)
    }

    async fn room(&self) -> io::Result<Room> {
        let folder = self.data_folder.clone();
        tokio::task::spawn_blocking(move || Room::of(&folder)).await.map_err(io::Error::other)?
    }
}

impl Seen {
    fn begin(free_bytes: u64) -> Self {
        let at = Instant::now();
        let history = VecDeque::from([(at, Growth::default())]);
        Self { at, took: Duration::ZERO, added: Added::default(), free_bytes, history }
    }

    /// Whether the folders are to be walked through again: after a while, when the disk is nearly full, or as soon as
    /// somebody, perhaps this container, has taken much of what it may still write from it. Walking never takes most of
    /// the time.
    fn is_due(&self, room: Room, bytes_max: u64, is_low: bool) -> bool {
        let waited = self.at.elapsed();
        let taken = self.free_bytes.saturating_sub(room.free_bytes);
        let left = bytes_max.saturating_sub(self.added.bytes);
        let is_hasty = taken > left / HASTE;
        waited >= self.took * WALK_SHARE && (waited >= PAUSE || is_low || is_hasty)
    }

    /// What was added in all: to the data folder, over the image's files and to the log.
    fn sum(&self, in_image: Added, spooled: u64) -> Growth {
        let bytes = self.added.bytes.saturating_add(in_image.bytes).saturating_add(spooled);
        Growth { bytes, files: self.added.files.saturating_add(in_image.files) }
    }

    /// What of it came of late.
    fn growth(&mut self, now: Growth) -> Growth {
        while self.history.len() > 1 && self.history.get(1).is_some_and(|(at, _)| at.elapsed() >= LATE) {
            self.history.pop_front();
        }
        self.history.push_back((Instant::now(), now));
        let then = self.history.front().map(|(_, then)| *then).unwrap_or_default();
        Growth { bytes: now.bytes.saturating_sub(then.bytes), files: now.files.saturating_sub(then.files) }
    }
}
