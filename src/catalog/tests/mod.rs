//! The catalog at its door. Every test has its own file on disk.

mod commits;
mod files;
mod image_locks;
mod jobs;
mod model;
mod opening;
mod refusals;
mod retention;
mod tables;
mod together;

use roaring::RoaringBitmap;
use sqlx::Row as _;
use tempfile::TempDir;

use crate::blob::BlobKey;
use crate::job::{AttemptNumber, ComponentId, JobId, LoadKind, Receipt, TableId, VersionNumber, WorkerId};

use super::{At, Catalog, Commit, NewSlice, SliceDeletion, TableLoad, TableVersion};

pub(super) struct House {
    directory: TempDir,
    pub(super) catalog: Catalog,
}

pub(super) async fn house() -> House {
    let directory = TempDir::new().unwrap();
    let catalog = Catalog::open_sqlite(&directory.path().join("catalog.db")).await.unwrap();
    House { directory, catalog }
}

impl House {
    /// Another handle on the same file, as another process would have it.
    pub(super) async fn beside(&self) -> Catalog {
        Catalog::open_sqlite(&self.directory.path().join("catalog.db")).await.unwrap()
    }

    pub(super) async fn load(&self, load: TableLoad) -> Receipt {
        self.catalog.commit(&of_tables(vec![load])).await.unwrap()
    }

    pub(super) async fn head(&self, table: &TableId) -> TableVersion {
        self.catalog.table(table, At::Head).await.unwrap().unwrap()
    }

    /// A job that is processing, at its first attempt.
    pub(super) async fn processing_job(&self) -> JobId {
        let job = JobId::fresh();
        self.catalog.create_job(job, &component(), None, "{}").await.unwrap();
        assert_eq!(self.catalog.claim_old(job, &worker()).await.unwrap(), Some(AttemptNumber::FIRST));
        job
    }

    /// Changes the database behind the catalog's back.
    pub(super) async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.catalog.notes).await.unwrap();
    }

    /// Lines of a table of the database.
    pub(super) async fn lines(&self, count_query: &'static str) -> i64 {
        sqlx::query(count_query).fetch_one(&self.catalog.notes).await.unwrap().try_get(0).unwrap()
    }
}

pub(super) fn component() -> ComponentId {
    ComponentId::parse("acme.top").unwrap()
}

pub(super) fn worker() -> WorkerId {
    WorkerId::parse("worker-1").unwrap()
}

pub(super) fn orders() -> TableId {
    "in.c-main.orders".parse().unwrap()
}

pub(super) fn customers() -> TableId {
    "in.c-main.customers".parse().unwrap()
}

pub(super) fn key(text: &str) -> BlobKey {
    BlobKey::parse(text).unwrap()
}

pub(super) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

pub(super) fn rows(ordinals: &[u32]) -> RoaringBitmap {
    ordinals.iter().copied().collect()
}

/// A slice of ten bytes a row.
pub(super) fn slice(blob: &str, row_count: u64) -> NewSlice {
    NewSlice {
        blob: key(blob),
        key_index: None,
        columns: texts(&["id", "name"]),
        rows: row_count,
        bytes: row_count * 10,
        checksum: u128::MAX - u128::from(row_count),
        deleted: RoaringBitmap::new(),
    }
}

pub(super) fn load(
    table: TableId,
    kind: LoadKind,
    based_on: Option<VersionNumber>,
    slices: Vec<NewSlice>,
) -> TableLoad {
    TableLoad {
        table,
        based_on,
        kind,
        columns: texts(&["id", "name"]),
        primary_key: texts(&["id"]),
        slices,
        deletions: Vec::new(),
        rekeyed: Vec::new(),
        description: None,
    }
}

pub(super) fn replace(slices: Vec<NewSlice>) -> TableLoad {
    load(orders(), LoadKind::Replace, None, slices)
}

pub(super) fn append(based_on: u64, slices: Vec<NewSlice>) -> TableLoad {
    load(orders(), LoadKind::Append, Some(VersionNumber(based_on)), slices)
}

pub(super) fn upsert(based_on: u64, slices: Vec<NewSlice>, deletions: Vec<SliceDeletion>) -> TableLoad {
    TableLoad { deletions, ..load(orders(), LoadKind::Upsert, Some(VersionNumber(based_on)), slices) }
}

pub(super) fn of_tables(tables: Vec<TableLoad>) -> Commit {
    Commit { tables, ..Commit::default() }
}

pub(super) fn success() -> crate::job::JobEnd {
    crate::job::JobEnd { status: crate::job::JobStatus::Success, code: None, message: "done".into() }
}
