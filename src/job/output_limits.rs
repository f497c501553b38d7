//! How much of what a component leaves is looked at, and how odd it may be.

/// Limits on outputs that are the same for all components of a project. Bytes are bytes, the rest are counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputLimits {
    /// Files and folders that a run may add to its data folder, and beside its image's files.
    pub files_max: u64,
    /// Entries of one output folder, more of which nobody means to publish.
    pub entries_max: u64,
    /// Of a name. More than [`Self::NAME_BYTES_MOST`] leaves no room for the `<id>_` that a stored file gets when it is
    /// staged: a file system has 255 bytes in all.
    pub name_bytes_max: u64,
    /// A manifest is a page of JSON; a larger one is not meant to be read.
    pub manifest_bytes_max: u64,
    /// A file that claims more than this must have a good part of it really on disk.
    pub sparse_bytes_min: u64,
    /// Levels of folders in the data folder.
    pub depth_max: u64,
    /// Of one table, all its slices together.
    pub table_bytes_max: u64,
}

impl OutputLimits {
    pub(crate) const NAME_BYTES_MOST: u64 = 200;
    /// A walk holds a handle for each level.
    pub(crate) const DEPTH_MOST: u64 = 256;
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self {
            files_max: 100_000,
            entries_max: 20_000,
            name_bytes_max: Self::NAME_BYTES_MOST,
            manifest_bytes_max: 1 << 20,
            sparse_bytes_min: 1 << 30,
            depth_max: 64,
            table_bytes_max: 1 << 40,
        }
    }
}
