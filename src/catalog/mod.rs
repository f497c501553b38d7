//! What exists: tables, versions, files, states, jobs, events, and the one commit that publishes. SQL lives here only,
//! written once in the subset that `SQLite` and `PostgreSQL` share. Never touches a blob: it knows keys, not bytes.

mod commit;
mod connect;
mod error;
mod events;
mod files;
mod jobs;
mod load;
mod migrations;
mod retention;
mod rows;
mod tables;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use connect::Catalog;
pub(crate) use error::{CatalogError, CommitError};
pub(crate) use types::{
    At, Commit, JobEnd, JobRecord, NewFile, NewSlice, OpenAttempt, Slice, SliceDeletion, SliceId, StateKey,
    StoredFile, TableLoad, TableSummary, TableVersion,
};

/// The catalog: a SQLite file now, PostgreSQL beside it later, one SQL for both.
#[derive(Debug, Clone)]
pub struct Catalog {}

#[derive(Debug, thiserror::Error)]
#[error("(skeleton)")]
pub struct CatalogError {}

/// A slice's number, unique in a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceId(pub u64);

/// A slice as it stands in one version of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    pub id: SliceId,
    pub blob: BlobKey,
    pub key_index: Option<BlobKey>,
    pub columns: Vec<String>,
    /// Rows in the file, deleted ones included.
    pub rows: u64,
    pub bytes: u64,
    pub checksum: u128,
    pub imported: Timestamp,
    /// Ordinals of the rows that this version no longer has.
    pub deleted: RoaringBitmap,
}

/// One immutable state of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableVersion {
    pub table: TableId,
    pub version: VersionNumber,
    pub created: Timestamp,
    pub columns: Vec<String>,
    /// In the order declared; empty for none.
    pub primary_key: Vec<String>,
    pub rows: u64,
    pub bytes: u64,
    pub load: LoadKind,
    /// The job that made it; `None` for an import by hand.
    pub job: Option<JobId>,
    /// In order; staging concatenates them.
    pub slices: Vec<Slice>,
}

/// Which state of a table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Head,
    Version(VersionNumber),
    /// The version that was head at this moment.
    Time(Timestamp),
}

/// A line of `table ls` / `table history`, without slices.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSummary {
    pub table: TableId,
    pub version: VersionNumber,
    /// When the table was first made.
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
pub struct NewSlice {
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
pub struct SliceDeletion {
    pub slice: SliceId,
    pub deleted: RoaringBitmap,
}

/// One table of a commit, computed against one head.
#[derive(Debug, Clone, PartialEq)]
pub struct TableLoad {
    pub table: TableId,
    /// The head this load was computed against; `None`: the table did not exist.
    pub based_on: Option<VersionNumber>,
    pub kind: LoadKind,
    /// Columns of the table after the load.
    pub columns: Vec<String>,
    pub primary_key: Vec<String>,
    pub slices: Vec<NewSlice>,
    /// Ignored for `Replace`, which drops all old slices.
    pub deletions: Vec<SliceDeletion>,
    /// Key indexes made for slices that had none (the table got a key).
    pub rekeyed: Vec<(SliceId, BlobKey)>,
    pub description: Option<String>,
}

/// A file to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFile {
    pub blob: BlobKey,
    pub name: String,
    pub bytes: u64,
    pub tags: Vec<String>,
    pub is_permanent: bool,
    pub is_public: bool,
    /// A file that is a directory of slices: `blob` is then a prefix... not used yet.
    pub is_sliced: bool,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFile {
    pub id: FileId,
    pub blob: BlobKey,
    pub name: String,
    pub bytes: u64,
    pub tags: Vec<String>,
    pub is_permanent: bool,
    pub is_public: bool,
    pub created: Timestamp,
    pub job: Option<JobId>,
}

/// Whose state: per component and configuration and, where rows are, per row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateKey {
    pub component: ComponentId,
    pub configuration: ConfigurationId,
    pub row: Option<RowId>,
}

/// Everything one unit (a configuration or one row of it) publishes, all or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// The fence: refused when this attempt is not the job's current one. `None` for work by hand.
    pub attempt: Option<(JobId, AttemptNumber)>,
    pub tables: Vec<TableLoad>,
    pub files: Vec<NewFile>,
    /// The complete new state document (JSON text), when a state is to be stored.
    pub state: Option<(StateKey, String)>,
    pub processed_tags: Vec<(FileId, Vec<String>)>,
    /// Ends the job in the same transaction.
    pub end: Option<JobEnd>,
}

/// How the job ends. `result` is the result document as JSON text; the commit's receipt is not yet known when it is
/// made, so `{receipt}` is filled by `render`... see `Catalog::commit`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEnd {
    pub status: JobStatus,
    /// Stable failure code, when it failed.
    pub code: Option<String>,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else published to this table since the load was computed: compute again and retry.
    #[error("table {table} moved while the load was prepared")]
    HeadMoved { table: TableId },
    /// The attempt is not the job's current one any more: publish nothing.
    #[error("attempt {attempt} of job {job} has lost its lease")]
    FenceLost { job: JobId, attempt: AttemptNumber },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// A job's row as `job ls` and `job show` need it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    pub id: JobId,
    pub component: ComponentId,
    pub configuration: Option<ConfigurationId>,
    pub status: JobStatus,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub code: Option<String>,
    pub message: Option<String>,
    /// The result document, JSON text; grows while the job runs (inputs, image) and is final at the end.
    pub result: Option<String>,
    pub log: Option<BlobKey>,
}

/// One attempt that is not finished, as the sweep sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAttempt {
    pub job: JobId,
    pub attempt: AttemptNumber,
    pub worker: WorkerId,
    pub phase: Phase,
    pub started: Timestamp,
    /// Where this attempt staged its data folder.
    pub data_folder: Option<String>,
}

impl Catalog {
    /// Opens (and makes, and migrates) the SQLite catalog at `path`.
    pub async fn open_sqlite(path: &Path) -> Result<Self, CatalogError> {
        unimplemented!()
    }

    // ---- tables
    pub async fn tables(&self) -> Result<Vec<TableSummary>, CatalogError> {
        unimplemented!()
    }
    /// `None`: no such table, or not (yet) at that version or time.
    pub async fn table(&self, table: &TableId, at: At) -> Result<Option<TableVersion>, CatalogError> {
        unimplemented!()
    }
    /// The head of several tables, read in one transaction: one snapshot.
    pub async fn snapshot(&self, tables: &[TableId]) -> Result<Vec<Option<TableVersion>>, CatalogError> {
        unimplemented!()
    }
    pub async fn history(&self, table: &TableId) -> Result<Vec<TableSummary>, CatalogError> {
        unimplemented!()
    }
    /// Forgets a table with all versions; its blobs go with the next gc. False: there was none.
    pub async fn drop_table(&self, table: &TableId) -> Result<bool, CatalogError> {
        unimplemented!()
    }

    // ---- the commit
    /// Publishes everything or nothing. The receipt's order is the commit's.
    pub async fn commit(&self, commit: &Commit) -> Result<Receipt, CommitError> {
        unimplemented!()
    }

    // ---- files
    pub async fn files(
        &self,
        query: &FileQuery,
        newer_than: Option<FileId>,
        since: Option<Timestamp>,
        files_max: u64,
    ) -> Result<Vec<StoredFile>, CatalogError> {
        unimplemented!()
    }
    pub async fn file(&self, id: FileId) -> Result<Option<StoredFile>, CatalogError> {
        unimplemented!()
    }
    pub async fn remove_file(&self, id: FileId) -> Result<bool, CatalogError> {
        unimplemented!()
    }

    // ---- state
    pub async fn state(&self, key: &StateKey) -> Result<Option<String>, CatalogError> {
        unimplemented!()
    }

    // ---- jobs
    /// Records a job (status waiting) with its request document (JSON text).
    pub async fn create_job(
        &self,
        id: JobId,
        component: &ComponentId,
        configuration: Option<&ConfigurationId>,
        request: &str,
    ) -> Result<(), CatalogError> {
        unimplemented!()
    }
    /// Takes the next attempt by compare-and-set; `None` when the job is running or done.
    pub async fn claim(&self, job: JobId, worker: &WorkerId) -> Result<Option<AttemptNumber>, CatalogError> {
        unimplemented!()
    }
    /// Where the attempt is, what the result document says so far. False: the fence is lost.
    pub async fn progress(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        phase: Phase,
        data_folder: Option<&str>,
        result: Option<&str>,
    ) -> Result<bool, CatalogError> {
        unimplemented!()
    }
    /// Ends a job without publishing anything (failed, terminated, cancelled). False: the fence is lost or it had ended.
    pub async fn end_job(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        end: &JobEnd,
        result: Option<&str>,
    ) -> Result<bool, CatalogError> {
        unimplemented!()
    }
    /// After the end: what became known later (log object, cleanup phase).
    pub async fn annotate(
        &self,
        job: JobId,
        result: &str,
        log: Option<&BlobKey>,
    ) -> Result<(), CatalogError> {
        unimplemented!()
    }
    pub async fn job(&self, id: JobId) -> Result<Option<JobRecord>, CatalogError> {
        unimplemented!()
    }
    /// Newest first.
    pub async fn jobs(&self, jobs_max: u64) -> Result<Vec<JobRecord>, CatalogError> {
        unimplemented!()
    }
    pub async fn open_attempts(&self) -> Result<Vec<OpenAttempt>, CatalogError> {
        unimplemented!()
    }

    // ---- events
    pub async fn add_events(&self, job: JobId, events: &[Event]) -> Result<(), CatalogError> {
        unimplemented!()
    }
    /// In order, from sequence number `from` on.
    pub async fn events(&self, job: JobId, from: u64, events_max: u64) -> Result<Vec<Event>, CatalogError> {
        unimplemented!()
    }

    // ---- keeping house
    /// Every blob that some version, file or job needs, for gc.
    pub async fn referenced_blobs(&self) -> Result<Vec<BlobKey>, CatalogError> {
        unimplemented!()
    }
    /// Forgets versions of every table older than `before`, never the head; returns how many.
    pub async fn forget_versions(&self, before: Timestamp) -> Result<u64, CatalogError> {
        unimplemented!()
    }
}
