//! How much lies in a folder that an untrusted process may be changing. Of the data folder all of it counts, not only
//! `out/`: a disk is filled from anywhere.
//!
//! Folders are walked by handle and symlinks are never followed, so the walk cannot be led out.

use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, ReadDir};

use crate::job::{BadExit, SizeKind};

const BLOCK_BYTES: u64 = 512;

/// The limits on what is added to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WriteLimits {
    pub(super) bytes_max: u64,
    pub(super) files_max: u64,
    /// The kernel stops a file here, so one that is as large has been stopped.
    pub(super) file_bytes_max: u64,
    /// Levels of folders; also bounds the open handles of a walk.
    pub(super) levels: usize,
}

/// Which folder is measured, for the names of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    DataFolder,
    /// What a container changed in its image's files.
    ImageFiles,
}

/// What lies in a folder, without the folder itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    apparent_bytes: u64,
    block_bytes: u64,
    files: u64,
    largest_file_bytes: u64,
}

/// What was added to a folder, and the first limit that it exceeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// Measures what came to a folder since it weighed `before`, and says the first limit that is exceeded by it. Stops
/// counting there, so that a million files cost no more than the limit. Blocks.
pub(super) fn measure(
    folder: &Path,
    place: Place,
    before: Weight,
    limits: WriteLimits,
) -> io::Result<(Added, Option<BadExit>)> {
    let mut weight = Weight::default();
    let excess = walk(folder, limits.levels, |entry, depth| {
        weight.add(entry);
        let too_deep = (depth > limits.levels).then_some(BadExit::SizeLimit {
            what: SizeKind::FolderDepth,
            limit: limits.levels as u64,
            found: depth as u64,
        });
        // An image's own folders are as deep as they are.
        let too_deep = too_deep.filter(|_| place == Place::DataFolder);
        weight.excess(before, place, limits).or(too_deep)
    })?;
    Ok((weight.added(before), excess))
}

impl Weight {
    /// What inputs of so many bytes and files weigh, manifests and folders generously counted: for a component that
    /// runs already, whose folder cannot be weighed without it any more.
    pub(super) fn about(bytes: u64, files: u64) -> Self {
        let entries = 2 * files + 16;
        let bytes = bytes + entries * 64 * 1024;
        Self { apparent_bytes: bytes, block_bytes: bytes, files: entries, largest_file_bytes: 0 }
    }

    /// What lies there now. Blocks.
    pub(super) fn of(data_folder: &Path, depth_max: usize) -> io::Result<Self> {
        let mut weight = Self::default();
        walk(data_folder, depth_max, |entry, _depth| {
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
            self.largest_file_bytes = self.largest_file_bytes.max(entry.len());
        }
    }

    fn added(&self, before: Self) -> Added {
        // A sparse giant has few blocks, many small files have more blocks than bytes: the larger one counts.
        let apparent = self.apparent_bytes.saturating_sub(before.apparent_bytes);
        Added {
            bytes: apparent.max(self.block_bytes.saturating_sub(before.block_bytes)),
            files: self.files.saturating_sub(before.files),
        }
    }

    fn excess(&self, before: Self, place: Place, limits: WriteLimits) -> Option<BadExit> {
        let (folder, count, file) = match place {
            Place::DataFolder => (SizeKind::DataFolder, SizeKind::DataFileCount, SizeKind::DataFile),
            Place::ImageFiles => (SizeKind::ImageFiles, SizeKind::ImageFileCount, SizeKind::File),
        };
        let Added { bytes, files } = self.added(before);
        let over = |what, limit, found| (found > limit).then_some(BadExit::SizeLimit { what, limit, found });
        let full = (self.largest_file_bytes >= limits.file_bytes_max).then_some(BadExit::SizeLimit {
            what: file,
            limit: limits.file_bytes_max,
            found: self.largest_file_bytes,
        });
        over(folder, limits.bytes_max, bytes).or_else(|| over(count, limits.files_max, files)).or(full)
    }
}

/// Shows every entry below a folder with its depth, until the visitor has seen enough.
fn walk<T>(
    root: &Path,
    depth_max: usize,
    mut visit: impl FnMut(&Metadata, usize) -> Option<T>,
) -> io::Result<Option<T>> {
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
            && open.len() <= depth_max
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
    const LIMITS: WriteLimits =
        WriteLimits { bytes_max: 1 << 20, files_max: 10, file_bytes_max: 1 << 40, levels: 64 };

    fn exceeded(folder: &Path, before: Weight, limits: WriteLimits) -> io::Result<Option<BadExit>> {
        measure(folder, Place::DataFolder, before, limits).map(|(_added, excess)| excess)
    }

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
        let expected = BadExit::SizeLimit { what: SizeKind::DataFolder, limit: 1 << 20, found: 1 << 30 };
        assert_eq!(exceeded(folder.path(), Weight::default(), LIMITS).unwrap(), Some(expected));
    }

    #[test]
    fn inputs_are_not_the_components_doing_and_what_lies_beside_the_outputs_is() {
        let folder = data_folder();
        fs::write(folder.path().join("input"), vec![1; 2 << 20]).unwrap();
        let before = Weight::of(folder.path(), 64).unwrap();
        assert_eq!(exceeded(folder.path(), before, LIMITS).unwrap(), None);
        fs::write(folder.path().join("elsewhere"), vec![1; (1 << 20) + 1]).unwrap();
        let expected =
            BadExit::SizeLimit { what: SizeKind::DataFolder, limit: 1 << 20, found: (1 << 20) + 4096 };
        assert_eq!(exceeded(folder.path(), before, LIMITS).unwrap(), Some(expected));
    }

    #[test]
    fn many_small_files_exceed_the_count() {
        let folder = data_folder();
        for number in 0..20 {
            fs::write(folder.path().join(OUT).join(number.to_string()), "").unwrap();
        }
        let expected = BadExit::SizeLimit { what: SizeKind::DataFileCount, limit: 10, found: 11 };
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
        let limits = WriteLimits { files_max: 1000, ..LIMITS };
        let expected = BadExit::SizeLimit { what: SizeKind::FolderDepth, limit: 64, found: 65 };
        assert_eq!(exceeded(folder.path(), Weight::default(), limits).unwrap(), Some(expected));
    }

    #[test]
    fn a_file_that_the_kernel_stopped_is_an_excess_below_the_limit_of_the_folder() {
        let folder = data_folder();
        fs::write(folder.path().join(OUT).join("full"), vec![1; 5000]).unwrap();
        let limits = WriteLimits { file_bytes_max: 5000, ..LIMITS };
        let expected = BadExit::SizeLimit { what: SizeKind::DataFile, limit: 5000, found: 5000 };
        assert_eq!(exceeded(folder.path(), Weight::default(), limits).unwrap(), Some(expected));
        let limits = WriteLimits { file_bytes_max: 5001, ..LIMITS };
        assert_eq!(exceeded(folder.path(), Weight::default(), limits).unwrap(), None);
    }
}
