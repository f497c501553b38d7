//! What this machine has, for the defaults of a worker. What cannot be learned counts as nothing, which is visible.

use std::fs;
use std::num::NonZero;
use std::path::Path;

/// The machine under the worker.
///
/// Containers run beside the worker and not inside it, so its own control group says nothing about what they may use;
/// where the engine is on another machine, none of this is true and the settings must say what that one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) processors: u32,
    pub(crate) memory_bytes: u64,
    /// Free on the file system of the work folder.
    pub(crate) disk_free_bytes: u64,
}

impl Machine {
    /// Blocking.
    pub(super) fn of(work_dir: &Path) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            processors: u32::try_from(processors).unwrap_or(u32::MAX),
            memory_bytes: memory_total(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
            disk_free_bytes: disk_free(work_dir),
        }
    }
}

/// `MemTotal:  24684756 kB`
fn memory_total(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}

/// Of the folder, or of the one where it will be made.
fn disk_free(folder: &Path) -> u64 {
    let found = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
    found.map_or(0, |system| system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_the_machines_total() {
        assert_eq!(memory_total("MemTotal:       24684756 kB\nMemFree:  1 kB\n"), 24_684_756 << 10);
        assert_eq!(["", "MemTotal: many kB", "MemFree: 1 kB"].map(memory_total), [0; 3]);
    }

    #[test]
    fn the_disk_of_a_folder_that_is_not_there_yet_is_that_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        assert!(disk_free(&folder.path().join("not/made/yet")) > 0);
        assert_eq!(disk_free(Path::new("")), 0);
    }
}
