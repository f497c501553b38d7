//! How much lies in the data folder, measured while an untrusted process may be changing it. All of it counts, not only
//! `out/`: a disk is filled from anywhere.
//!
//! Folders are walked by handle and symlinks are never followed, so the walk cannot be led out.

use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, ReadDir};

use crate::job::BadExit;

/// Deeper than any output may be; also bounds the open handles of a walk.
const DEPTH_MAX: usize = 64;
const BLOCK_BYTES: u64 = 512;

/// The limits on what is added to the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutputLimits {
    pub(super) bytes_max: u64,
    pub(super) files_max: u64,
}

/// What lies in a folder, without the folder itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    apparent_bytes: u64,
    block_bytes: u64,
    files: u64,
}

/// The first limit that is exceeded by what came to the data folder since it weighed `before`, or nothing. Stops
/// counting there, so that a million files cost no more than the limit. Blocks.
pub(super) fn exceeded(
    data_folder: &Path,
    before: Weight,
    limits: OutputLimits,
) -> io::Result<Option<BadExit>> {
    let mut weight = Weight::default();
    walk(data_folder, |entry, depth| {
        weight.add(entry);
        let too_deep = (depth > DEPTH_MAX).then_some(BadExit::SizeLimit {
            what: "folder depth",
            limit: DEPTH_MAX as u64,
            found: depth as u64,
        });
        weight.excess(before, limits).or(too_deep)
    })
}

impl Weight {
    /// What inputs of so many bytes and files weigh, manifests and folders generously counted: for a component that
    /// runs already, whose folder cannot be weighed without it any more.
    pub(super) fn about(bytes: u64, files: u64) -> Self {
        let entries = 2 * files + 16;
        let bytes = bytes + entries * 64 * 1024;
        Self { apparent_bytes: bytes, block_bytes: bytes, files: entries }
    }

    /// What lies there now. Blocks.
    pub(super) fn of(data_folder: &Path) -> io::Result<Self> {
        let mut weight = Self::default();
        walk(data_folder, |entry, _depth| {
            weight.add(entry);
            None::<()>
        })?;
        Ok(weight)
    }

    fn add(&mut self, entry: &Metadata) {
        self.files += 1;
        if !entry.is_dir() {
            let blocks = entry.blocks().saturating_mul(BLOCK_BYTES);
            self.apparent_bytes = self.apparent_bytes.saturating_add(entry.len());
            self.block_bytes = self.block_bytes.saturating_add(blocks);
        }
    }

    fn excess(&self, before: Self, limits: OutputLimits) -> Option<BadExit> {
        // A sparse giant has few blocks, many small files have more blocks than bytes: the larger one counts.
        let apparent = self.apparent_bytes.saturating_sub(before.apparent_bytes);
        let bytes = apparent.max(self.block_bytes.saturating_sub(before.block_bytes));
        let files = self.files.saturating_sub(before.files);
        let over = |what, limit, found| (found > limit).then_some(BadExit::SizeLimit { what, limit, found });
        over("data folder", limits.bytes_max, bytes).or_else(|| over("file count", limits.files_max, files))
    }
}

/// Shows every entry below a folder with its depth, until the visitor has seen enough.
fn walk<T>(root: &Path, mut visit: impl FnMut(&Metadata, usize) -> Option<T>) -> io::Result<Option<T>> {
    let root = Dir::open_ambient_dir(root, ambient_authority())?;
    let mut open: Vec<ReadDir> = vec![root.entries()?];
    while let Some(entries) = open.last_mut() {
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        // Entries vanish under a walk; what is gone weighs nothing.
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        if let Some(seen) = visit(&metadata, open.len()) {
            return Ok(Some(seen));
        }
        // A folder that was swapped for something else, or is closed to us, is left to the checks at collect.
        if metadata.is_dir()
            && open.len() <= DEPTH_MAX
            && let Ok(entries) = entry.open_dir().and_then(|folder| folder.entries())
        {
            open.push(entries);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const OUT: &str = "out";
    const LIMITS: OutputLimits = OutputLimits { bytes_max: 1 << 20, files_max: 10 };

    fn data_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(OUT)).unwrap();
        folder
    }

    #[test]
    fn a_missing_and_a_small_folder_are_within_limits() {
        let folder = data_folder();
        assert_eq!(exceeded(tempfile::tempdir().unwrap().path(), Weight::default(), LIMITS).unwrap(), None);
        fs::create_dir_all(folder.path().join(OUT).join("tables/x.csv")).unwrap();
        fs::write(folder.path().join(OUT).join("tables/x.csv/part"), [0; 5000]).unwrap();
        assert_eq!(exceeded(folder.path(), Weight::default(), LIMITS).unwrap(), None);
    }

    #[test]
    fn a_sparse_giant_counts_by_its_apparent_size() {
        let folder = data_folder();
        fs::File::create(folder.path().join(OUT).join("giant")).unwrap().set_len(1 << 30).unwrap();
        let expected = BadExit::SizeLimit { what: "data folder", limit: 1 << 20, found: 1 << 30 };
        assert_eq!(exceeded(folder.path(), Weight::default(), LIMITS).unwrap(), Some(expected));
    }

    #[test]
    fn inputs_are_not_the_components_doing_and_what_lies_beside_the_outputs_is() {
        let folder = data_folder();
        fs::write(folder.path().join("input"), vec![1; 2 << 20]).unwrap();
        let before = Weight::of(folder.path()).unwrap();
        assert_eq!(exceeded(folder.path(), before, LIMITS).unwrap(), None);
        fs::write(folder.path().join("elsewhere"), vec![1; (1 << 20) + 1]).unwrap();
        let expected = BadExit::SizeLimit { what: "data folder", limit: 1 << 20, found: (1 << 20) + 4096 };
        assert_eq!(exceeded(folder.path(), before, LIMITS).unwrap(), Some(expected));
    }

    #[test]
    fn many_small_files_exceed_the_count() {
        let folder = data_folder();
        for number in 0..20 {
            fs::write(folder.path().join(OUT).join(number.to_string()), "").unwrap();
        }
        let expected = BadExit::SizeLimit { what: "file count", limit: 10, found: 11 };
        assert_eq!(exceeded(folder.path(), Weight::default(), LIMITS).unwrap(), Some(expected));
    }

    #[test]
    fn symlinks_are_neither_followed_nor_weighed_by_their_target() {
        let folder = data_folder();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("big"), vec![1; 2 << 20]).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join(OUT).join("away")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("big"), folder.path().join(OUT).join("big")).unwrap();
        std::os::unix::fs::symlink(".", folder.path().join(OUT).join("loop")).unwrap();
        assert_eq!(exceeded(folder.path(), Weight::default(), LIMITS).unwrap(), None);
    }

    #[test]
    fn an_out_folder_that_leads_elsewhere_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("big"), vec![1; 2 << 20]).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join(OUT)).unwrap();
        assert_eq!(exceeded(folder.path(), Weight::default(), LIMITS).unwrap(), None);
    }

    #[test]
    fn a_bottomless_folder_is_an_excess() {
        let folder = data_folder();
        let deep = folder.path().join(OUT).join(["d"; 80].join("/"));
        fs::create_dir_all(deep).unwrap();
        let limits = OutputLimits { files_max: 1000, ..LIMITS };
        let expected = BadExit::SizeLimit { what: "folder depth", limit: 64, found: 65 };
        assert_eq!(exceeded(folder.path(), Weight::default(), limits).unwrap(), Some(expected));
    }
}
