//! Measures what a component writes to disk while it runs, and once more afterwards: the sooner, the faster the disk
//! fills and the closer the limit is.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::cgroup::CgroupParent;
use super::disk_guard::{DiskGuard, Growth, Room};
use super::image_files::ImageFiles;
use super::measure::{self, Added, Place, Weight, WriteLimits};
use super::unlinked;
use crate::engine::Engine;
use crate::job::{BadExit, SizeKind};

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
    /// Where the processes of the container are to be found.
    pub(super) parent: Option<CgroupParent>,
    /// Bytes of the log: spooled beside the data folder, and in the engine's own file.
    pub(super) logged: [watch::Receiver<u64>; 2],
}

/// What the last look found.
#[derive(Debug)]
struct Seen {
    at: Instant,
    took: Duration,
    /// To the data folder, and to files that have no name any more.
    added: Added,
    /// The disks as they were.
    rooms: Vec<Room>,
    /// All that was added until then, everywhere.
    sum: Growth,
    /// What was added until when, not older than [`LATE`] but for the first.
    history: VecDeque<(Instant, Growth)>,
}

impl Watchdog {
    /// Measures until a limit is exceeded or the container has ended, and then once more: a container may write
    /// everything in its last moment.
    pub(super) async fn watch(self, ended: CancellationToken) -> io::Result<Option<BadExit>> {
        let writer = self.guard.enter(&self.id);
        let mut image_files = ImageFiles::new(self.is_root_writable);
        let mut seen = Seen::begin(self.rooms(&image_files).await?);
        loop {
            let last = timeout(TICK, ended.cancelled()).await.is_ok();
            let rooms = self.rooms(&image_files).await?;
            let is_low = rooms.iter().any(|room| self.guard.is_low(*room));
            // Who was seen to write is stopped at once: by the time of another walk there may be no room left.
            if let (false, Some(excess)) = (last, rooms.iter().find_map(|room| writer.blame(*room, seen.sum)))
            {
                return Ok(Some(excess));
            }
            if !last && !seen.is_due(&rooms, self.limits, is_low) {
                continue;
            }
            let since = Instant::now();
            let (added, excess) = self.look().await?;
            if excess.is_some() || last {
                return Ok(excess);
            }
            // What it changed in the image's files is gone with the container, so the last moment does not count.
            let found = ended.run_until_cancelled(image_files.look(&self.engine, &self.id, self.limits));
            let (in_image, excess) = found.await.unwrap_or_default();
            writer.note(seen.look((since, rooms), added, in_image, self.logged_bytes()));
            if excess.is_some() {
                return Ok(excess);
            }
        }
    }

    fn logged_bytes(&self) -> u64 {
        self.logged.iter().map(|bytes| *bytes.borrow()).sum()
    }

    /// What came to the data folder and to files without a name, and the limit that it exceeds.
    async fn look(&self) -> io::Result<(Added, Option<BadExit>)> {
        let (folder, before, limits) = (self.data_folder.clone(), self.before, self.limits);
        let (parent, id) = (self.parent.clone(), self.id.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let (mut added, excess) = measure::measure(&folder, Place::DataFolder, before, limits)?;
            let processes = parent.map(|parent| parent.processes(&id)).unwrap_or_default();
            let unlinked = unlinked::measure(&processes);
            added.bytes = added.bytes.saturating_add(unlinked.bytes);
            added.files = added.files.saturating_add(unlinked.files);
            let (limit, found) = (limits.bytes_max, added.bytes);
            let too_much = BadExit::SizeLimit { what: SizeKind::DataFolder, limit, found };
            Ok((added, excess.or((found > limit).then_some(too_much))))
        });
        looked.await.map_err(io::Error::other)?
    }

    /// Of the disk of the data folder, and of that of the image's files where it is known.
    async fn rooms(&self, image_files: &ImageFiles) -> io::Result<Vec<Room>> {
        let (folder, changed) = (self.data_folder.clone(), image_files.folders().to_vec());
        let asked = tokio::task::spawn_blocking(move || {
            let rooms = std::iter::once(Room::of(&folder));
            // The engine may take its folders away under us.
            rooms.chain(changed.iter().filter_map(|folder| Room::of(folder).ok()).map(Ok)).collect()
        });
        asked.await.map_err(io::Error::other)?
    }
}

impl Seen {
    fn begin(rooms: Vec<Room>) -> Self {
        let at = Instant::now();
        Self {
            at,
            took: Duration::ZERO,
            added: Added::default(),
            rooms,
            sum: Growth::default(),
            history: VecDeque::from([(at, Growth::default())]),
        }
    }

    /// Takes in what was found, and says what was added of late: to the data folder, over the image's files and to the
    /// log.
    fn look(
        &mut self,
        (since, rooms): (Instant, Vec<Room>),
        added: Added,
        in_image: Added,
        logged: u64,
    ) -> Growth {
        self.at = Instant::now();
        self.took = since.elapsed();
        self.added = added;
        self.rooms = rooms;
        self.sum = Growth {
            bytes: added.bytes.saturating_add(in_image.bytes).saturating_add(logged),
            files: added.files.saturating_add(in_image.files),
        };
        while self.history.len() > 1 && self.history.get(1).is_some_and(|(at, _)| at.elapsed() >= LATE) {
            self.history.pop_front();
        }
        self.history.push_back((self.at, self.sum));
        let then = self.history.front().map(|(_, then)| *then).unwrap_or_default();
        Growth {
            bytes: self.sum.bytes.saturating_sub(then.bytes),
            files: self.sum.files.saturating_sub(then.files),
        }
    }

    /// Whether the folders are to be walked through again: after a while, when a disk is nearly full, or as soon as
    /// somebody, perhaps this container, has taken much of what it may still write from one. Walking never takes most of
    /// the time.
    fn is_due(&self, rooms: &[Room], limits: WriteLimits, is_low: bool) -> bool {
        let waited = self.at.elapsed();
        if is_low {
            return waited >= self.took;
        }
        let bytes_left = limits.bytes_max.saturating_sub(self.added.bytes);
        let files_left = limits.files_max.saturating_sub(self.added.files);
        let is_hasty = self.rooms.iter().zip(rooms).any(|(then, now)| {
            then.free_bytes.saturating_sub(now.free_bytes) > bytes_left / HASTE
                || then.free_inodes.saturating_sub(now.free_inodes) > files_left / HASTE
        });
        waited >= self.took * WALK_SHARE && (waited >= PAUSE || is_hasty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_fills_a_disk_counts_for_the_blame() {
        let mut seen = Seen::begin(Vec::new());
        let (added, in_image) = (Added { bytes: 1, files: 2 }, Added { bytes: 30, files: 40 });
        let growth = seen.look((Instant::now(), Vec::new()), added, in_image, 500);
        assert_eq!(growth, Growth { bytes: 531, files: 42 });
        assert_eq!(seen.sum, growth);
    }
}
