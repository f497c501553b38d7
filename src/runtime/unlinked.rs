//! Files that were removed while somebody still has them open or mapped: they fill a disk, and no walk through folders
//! finds them. The processes of a container tell, where its cgroup is ours to see.
//!
//! `/proc/<pid>/fd` and `/proc/<pid>/map_files` are of proc(5).

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::measure::Added;

/// A walk over more open files than this takes too long; whoever has so many is found by what it has up to there.
const LOOK_AT_MAX: usize = 20_000;
const BLOCK_BYTES: u64 = 512;
/// `TMPFS_MAGIC` of statfs(2): such files are memory, and counted as that.
const TMPFS: i64 = 0x0102_1994;
/// `HUGETLBFS_MAGIC`.
const HUGETLBFS: i64 = 0x9584_58f6;

/// What these processes hold of removed files on disks. A process that ends meanwhile holds none. Blocks.
pub(super) fn measure(processes: &[u32]) -> Added {
    let mut seen: HashSet<(u64, u64)> = HashSet::new();
    let mut added = Added::default();
    let held = processes.iter().flat_map(|process| {
        let process = PathBuf::from(format!("/proc/{process}"));
        links(&process.join("fd")).chain(mapped(&process))
    });
    for link in held.take(LOOK_AT_MAX) {
        // Follows the link to the file itself, whatever name it had.
        let Ok(file) = fs::metadata(&link) else { continue };
        if file.is_file() && file.nlink() == 0 && !is_memory(&link) && seen.insert((file.dev(), file.ino())) {
            added.bytes = added.bytes.saturating_add(file.blocks().saturating_mul(BLOCK_BYTES));
            added.files += 1;
        }
    }
    added
}

fn links(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
}

/// Mappings of files that were removed: lines that begin with their range of addresses.
fn mapped(process: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
    let removed = maps.lines().filter(|line| line.ends_with(" (deleted)"));
    let ranges: Vec<PathBuf> = removed
        .filter_map(|line| line.split_once(' '))
        .map(|(range, _rest)| process.join("map_files").join(range))
        .collect();
    ranges.into_iter()
}

fn is_memory(link: &Path) -> bool {
    let kind = rustix::fs::statfs(link).map(|system| system.f_type);
    kind.is_ok_and(|kind| kind == TMPFS || kind == HUGETLBFS)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_removed_file_that_is_open_weighs_and_one_with_a_name_does_not() {
        // Below the sources, as temporary folders may be memory.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let hold = |name: &str| {
            let path = folder.path().join(name);
            let mut file = fs::File::create(&path).unwrap();
            file.write_all(&vec![1; 300_000]).unwrap();
            file.sync_all().unwrap();
            (file, path)
        };
        let before = measure(&[std::process::id()]);
        let (_named, _path) = hold("named");
        let (removed, path) = hold("removed");
        let _again = removed.try_clone().unwrap();
        fs::remove_file(path).unwrap();
        let after = measure(&[std::process::id()]);
        assert_eq!(after.files, before.files + 1);
        let bytes = after.bytes - before.bytes;
        assert!((300_000..400_000).contains(&bytes), "{bytes}");
    }
}
