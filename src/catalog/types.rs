//! What the catalog tells and is told: tables and versions, loads, files, states, jobs.

use std::fmt;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::blob::BlobKey;
use crate::job::{
    AttemptNumber, ComponentId, ConfigurationId, FileId, JobEnd, JobId, JobState, LoadKind, Phase, RowId,
    TableId, VersionNumber, WorkerId,
};

/// A slice's number, unique in a catalog and growing from commit to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SliceId(pub u64);

impl fmt::Display for SliceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A slice as it stands in one version of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slice {
    pub id: SliceId,
    pub blob: BlobKey,
    /// An index of the primary key that the table's head has; `None`: not made yet.
    pub key_index: Option<BlobKey>,
    pub columns: Vec<String>,
    /// Rows in the file, deleted ones included.
    pub rows: u64,
    pub bytes: u64,
    pub checksum: u128,
    /// The time of the commit that added it; no two commits of a catalog share one.
    pub imported: Timestamp,
    /// Ordinals of the rows that this version no longer has.
    pub deleted: RoaringBitmap,
}

/// One immutable state of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableVersion {
    pub table: TableId,
    pub version: VersionNumber,
    pub created: Timestamp,
    pub columns: Vec<String>,
    /// In the order declared; empty for none.
    pub primary_key: Vec<String>,
    pub rows: u64,
    /// Of all slices, rows deleted from them included.
    pub bytes: u64,
    pub load: LoadKind,
    /// The job that made it; `None` for an import by hand.
    pub job: Option<JobId>,
    /// In order; staging concatenates them. A slice whose rows are all deleted is not among them.
    pub slices: Vec<Slice>,
}

/// Which state of a table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Head,
    Version(VersionNumber),
    /// The version that was head at this moment.
    Time(Timestamp),
}

/// A line of `table ls` / `table history`, without slices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableSummary {
    pub table: TableId,
    pub version: VersionNumber,
    /// When the table was first made, or made again after a drop.
    pub first_created: Timestamp,
    /// When this version was made.
    pub created: Timestamp,
    pub columns: Vec<String>,
    pub primary_key: Vec<String>,
    pub rows: u64,
    pub bytes: u64,
    pub load: LoadKind,
    pub job: Option<JobId>,
}

/// A slice to be published: uploaded, invisible until the commit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewSlice {
    pub blob: BlobKey,
    pub key_index: Option<BlobKey>,
    pub columns: Vec<String>,
    pub rows: u64,
    pub bytes: u64,
    pub checksum: u128,
    /// Rows replaced by later rows of the same load.
    pub deleted: RoaringBitmap,
}

/// Rows that a load deletes from a slice that is already there: the complete new bitmap of that slice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SliceDeletion {
    pub slice: SliceId,
    pub deleted: RoaringBitmap,
}

/// One table of a commit, computed against one head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableLoad {
    pub table: TableId,
    /// The head this load was computed against; `None`: the table did not exist. Ignored for `Replace`.
    pub based_on: Option<VersionNumber>,
    pub kind: LoadKind,
    /// Columns of the table after the load.
    pub columns: Vec<String>,
    pub primary_key: Vec<String>,
    pub slices: Vec<NewSlice>,
    /// Ignored for `Replace`, which drops all old slices.
    pub deletions: Vec<SliceDeletion>,
    /// Key indexes made for slices that had none (the table got a key). When the load changes the primary key, the
    /// indexes of all other slices of the head are forgotten: they are of the old key. Ignored for `Replace`.
    pub rekeyed: Vec<(SliceId, BlobKey)>,
    /// `None` leaves what the table has.
    pub description: Option<String>,
}

/// A file to be published.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewFile {
    pub blob: BlobKey,
    pub name: String,
    pub bytes: u64,
    pub tags: Vec<String>,
    pub is_permanent: bool,
    pub is_public: bool,
    /// Not used yet: no file is stored as a directory of slices.
    pub is_sliced: bool,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredFile {
    pub id: FileId,
    pub blob: BlobKey,
    pub name: String,
    pub bytes: u64,
    /// In the order they were put on, each once.
    pub tags: Vec<String>,
    pub is_permanent: bool,
    pub is_public: bool,
    pub created: Timestamp,
    pub job: Option<JobId>,
}

/// Whose state: per component and configuration and, where rows are, per row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StateKey {
    pub component: ComponentId,
    pub configuration: ConfigurationId,
    pub row: Option<RowId>,
}

/// Everything one unit (a configuration or one row of it) publishes, all or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Commit {
    /// The fence: refused when this attempt is not the job's current one. `None` for work by hand.
    pub attempt: Option<(JobId, AttemptNumber)>,
    /// Each table once.
    pub tables: Vec<TableLoad>,
    pub files: Vec<NewFile>,
    /// The complete new state document (JSON text), when a state is to be stored.
    pub state: Option<(StateKey, String)>,
    /// Tags put on files that were read; a file removed meanwhile is passed over.
    pub processed_tags: Vec<(FileId, Vec<String>)>,
    /// Records in the same transaction that a unit of the job has ended, so that no later attempt publishes it again.
    pub unit: Option<super::UnitEnd>,
    /// Ends the job in the same transaction.
    pub end: Option<JobEnd>,
}

/// A job's row as `job ls` and `job show` need it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobRecord {
    pub(crate) id: JobId,
    pub(crate) component: ComponentId,
    pub(crate) configuration: Option<ConfigurationId>,
    pub(crate) created: Timestamp,
    pub(crate) state: JobState,
    /// The result document, JSON text; grows while the job runs (inputs, image) and is final at the end.
    pub(crate) result: Option<String>,
    pub(crate) log: Option<BlobKey>,
}

/// One attempt that is not finished, as the sweep sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenAttempt {
    pub job: JobId,
    pub attempt: AttemptNumber,
    pub worker: WorkerId,
    pub phase: Phase,
    pub started: Timestamp,
    /// Where this attempt staged its data folder.
    pub data_folder: Option<String>,
}
