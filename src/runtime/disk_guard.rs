//! Keeps room on the disks that containers write to: where one is nearly full, the container that fills it is found and
//! stopped, before its neighbours and the host run out of room.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::job::{BadExit, Scarce};

/// What is kept free where the settings do not say: this much, or [`RESERVE_SHARE`] of a smaller disk.
const RESERVE_BYTES: u64 = 1 << 30;
const RESERVE_SHARE: u64 = 20;
/// Of the reserve: who has written less of late is not the one who fills the disk.
const BLAME_SHARE: u64 = 16;
const BLAME_BYTES_MIN: u64 = 64 << 10;
/// Inodes are kept free as a share only; file systems that make them as needed tell of none.
const INODE_SHARE: u64 = 20;
/// Files that a container must have added of late to be blamed for the lack of inodes.
const BLAME_FILES_MIN: u64 = 100;

/// One that was stopped is given so long to end and to leave its room, before another one is stopped for the same.
const ROOM_COMES_AFTER: Duration = Duration::from_secs(15);
/// Of the reserve: with less than this left nobody waits.
const URGENT_SHARE: u64 = 4;

/// Shared by all containers that one process watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct DiskGuard {
    reserve_bytes: Option<u64>,
    writers: Arc<Mutex<Writers>>,
}

#[derive(Debug, Default)]
struct Writers {
    /// What each container has added of late, by its id.
    growing: HashMap<String, Growth>,
    /// When one of them was blamed last.
    blamed: Option<Instant>,
}

/// What a container has added within a short time, everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Growth {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// What a file system has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) total_bytes: u64,
    pub(super) free_bytes: u64,
    /// 0 where inodes are made as needed.
    pub(super) total_inodes: u64,
    pub(super) free_inodes: u64,
}

impl Room {
    /// Of the file system that holds a path. Blocks.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let disk = rustix::fs::statvfs(path)?;
        Ok(Self {
            total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            total_inodes: disk.f_files,
            free_inodes: disk.f_favail,
        })
    }
}

/// One container among those that are watched; dropping it takes it out.
#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    guard: DiskGuard,
}

impl DiskGuard {
    /// Keeps so many bytes free; `None` for what suits the disk.
    pub(crate) fn new(reserve_bytes: Option<u64>) -> Self {
        Self { reserve_bytes, writers: Arc::default() }
    }

    pub(super) fn enter(&self, id: &str) -> Writer {
        self.writers().growing.insert(id.to_owned(), Growth::default());
        Writer { id: id.to_owned(), guard: self.clone() }
    }

    /// What is kept free of a disk.
    fn reserve_bytes(&self, room: Room) -> u64 {
        self.reserve_bytes.unwrap_or_else(|| RESERVE_BYTES.min(room.total_bytes / RESERVE_SHARE))
    }

    /// Whether a disk has less left than is to be kept free.
    pub(super) fn is_low(&self, room: Room) -> bool {
        self.scarce(room).is_some()
    }

    fn scarce(&self, room: Room) -> Option<Scarce> {
        if room.free_bytes < self.reserve_bytes(room) {
            Some(Scarce::Bytes)
        } else if room.free_inodes < room.total_inodes / INODE_SHARE {
            Some(Scarce::Inodes)
        } else {
            None
        }
    }

    fn writers(&self) -> MutexGuard<'_, Writers> {
        // They are whole whoever panicked while holding them: each change is a single call.
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    pub(super) fn note(&self, growth: Growth) {
        self.guard.writers().growing.insert(self.id.clone(), growth);
    }

    /// The end of this container, where a disk is low and this is the one that fills it: it has added much of late, and
    /// nobody more. `added` is what it has added in all.
    pub(super) fn blame(&self, room: Room, added: Growth) -> Option<BadExit> {
        let what = self.guard.scarce(room)?;
        let (measure, least, free, reserve): (fn(&Growth) -> u64, _, _, _) = match what {
            Scarce::Bytes => {
                let reserve = self.guard.reserve_bytes(room);
                let least = (reserve / BLAME_SHARE).max(BLAME_BYTES_MIN);
                (|growth| growth.bytes, least, room.free_bytes, reserve)
            }
            Scarce::Inodes => {
                let reserve = room.total_inodes / INODE_SHARE;
                (|growth| growth.files, BLAME_FILES_MIN, room.free_inodes, reserve)
            }
        };
        let mut writers = self.guard.writers();
        let is_urgent = free < reserve / URGENT_SHARE;
        let is_room_coming = writers.blamed.is_some_and(|blamed| blamed.elapsed() < ROOM_COMES_AFTER);
        let own = writers.growing.get(&self.id).map_or(0, measure);
        let is_most = own >= least && writers.growing.values().all(|other| measure(other) <= own);
        if !is_most || (is_room_coming && !is_urgent) {
            return None;
        }
        writers.blamed = Some(Instant::now());
        Some(BadExit::DiskReserve { what, written: measure(&added), free, reserve })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.guard.writers().growing.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIBIBYTE: u64 = 1 << 30;

    fn room(free_bytes: u64, free_inodes: u64) -> Room {
        Room { total_bytes: 100 * GIBIBYTE, free_bytes, total_inodes: 1000, free_inodes }
    }

    #[test]
    fn a_gibibyte_is_kept_free_and_less_of_a_small_disk() {
        let guard = DiskGuard::default();
        assert!(!guard.is_low(room(GIBIBYTE, 1000)) && guard.is_low(room(GIBIBYTE - 1, 1000)));
        assert!(guard.is_low(room(2 * GIBIBYTE, 49)) && !guard.is_low(room(2 * GIBIBYTE, 50)));
        let small = Room { total_bytes: 20 << 20, free_bytes: 1 << 20, total_inodes: 0, free_inodes: 0 };
        assert_eq!(guard.reserve_bytes(small), 1 << 20);
        assert!(!guard.is_low(small));
        assert!(DiskGuard::new(Some(2 << 20)).is_low(small));
        assert!(!DiskGuard::new(Some(0)).is_low(Room { free_bytes: 0, ..small }));
    }

    #[test]
    fn who_adds_most_is_to_blame_and_a_modest_one_never() {
        let guard = DiskGuard::default();
        let (greedy, modest) = (guard.enter("greedy"), guard.enter("modest"));
        let low = room(GIBIBYTE / 2, 1000);
        let growth = |mebibytes: u64, files| Growth { bytes: mebibytes << 20, files };
        let added = growth(400, 600);
        modest.note(growth(63, 1));
        assert_eq!(modest.blame(low, added), None, "alone, but too little");
        modest.note(growth(65, 1));
        greedy.note(growth(300, 1));
        let expected = BadExit::DiskReserve {
            what: Scarce::Bytes,
            written: 400 << 20,
            free: GIBIBYTE / 2,
            reserve: GIBIBYTE,
        };
        assert_eq!((greedy.blame(low, added), modest.blame(low, added)), (Some(expected), None));
        assert_eq!(greedy.blame(room(2 * GIBIBYTE, 1000), added), None, "there is room");
        drop(greedy);
        assert_eq!(modest.blame(low, added), None, "the room of the one before is on its way");
        assert!(modest.blame(room(GIBIBYTE / 5, 1000), added).is_some(), "nobody waits for the last of it");
        let without_inodes = room(2 * GIBIBYTE, 10);
        assert_eq!(modest.blame(without_inodes, added), None);
        modest.note(growth(0, 500));
        let expected = BadExit::DiskReserve { what: Scarce::Inodes, written: 600, free: 10, reserve: 50 };
        assert_eq!(modest.blame(without_inodes, added), Some(expected));
    }
}
