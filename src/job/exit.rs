//! How the container ended, as a proof the later steps ask for.

use std::time::Duration;

/// Either the component did what it was asked, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    Clean(CleanExit),
    Bad(BadExit),
}

/// Exit code 0, no out-of-memory kill, no limit hit. Only with this can outputs be collected for publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct CleanExit;

impl CleanExit {
    /// Judges an exit code that nothing speaks against. Everything else about the end (OOM, limits, intent)
    /// must have been weighed before: code 0 alone is not success.
    pub(crate) fn from_code(code: i64) -> Exit {
        if code == 0 { Exit::Clean(Self) } else { Exit::Bad(BadExit::Code(code)) }
    }
}

/// Why the run does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadExit {
    /// A non-zero exit code of the component's own making; 128 + n for a signal n.
    Code(i64),
    /// The kernel killed a process of the container, whatever the exit code says.
    OutOfMemory { limit_bytes: u64, peak_bytes: Option<u64> },
    /// Stopped by us: it ran longer than allowed.
    TimeLimit { limit: Duration },
    /// Stopped by us, or by the kernel at our limit: it wrote more than allowed.
    SizeLimit { what: SizeKind, limit: u64, found: u64 },
    /// Stopped by us: below its own limit, but the disk was about to be full and it was the one that filled it.
    DiskReserve { what: Scarce, written: u64, free: u64, reserve: u64 },
    /// Stopped by us because somebody asked.
    Cancelled,
    /// The engine could not start the image's entrypoint.
    CouldNotStart(StartFailure),
}

/// What a disk runs out of: bytes, or files and folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scarce {
    Bytes,
    Inodes,
}

/// What grew too large. Bytes, entries or levels, as the kind has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SizeKind {
    /// What was added to the data folder.
    DataFolder,
    /// One file of the data folder.
    DataFile,
    /// One file, wherever it was.
    File,
    /// One file that nobody saw: the exit code is that of the kernel's signal, which a component can give by itself.
    FileBySignal,
    /// What was written over the image's own files.
    ImageFiles,
    /// Files and folders in the data folder.
    DataFileCount,
    /// Files and folders beside the image's own.
    ImageFileCount,
    FolderDepth,
    Log,
}

/// The entrypoint could not be started: missing, not executable, wrong architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartFailure {
    pub entrypoint: String,
    /// The engine's own words.
    pub reason: String,
}
