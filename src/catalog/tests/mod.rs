//! The catalog at its door, on both databases. Every test has a catalog of its own.

mod accepting;
mod commits;
mod files;
mod house;
mod image_locks;
mod jobs;
mod lost_answers;
mod model;
mod opening;
mod proxy;
mod refusals;
mod retention;
mod server;
mod sharing;
mod tables;
mod together;
mod units;

use roaring::RoaringBitmap;

use crate::blob::BlobKey;
use crate::job::{
    AttemptNumber, ComponentId, ConfigurationId, JobId, LoadKind, Priority, Receipt, TableId, VersionNumber,
    WorkerId,
};

use super::{Accepted, At, Commit, NewJob, NewSlice, SliceDeletion, TableLoad, TableVersion};

pub(super) use house::{Database, House, On};

impl House {
    pub(super) async fn load(&self, load: TableLoad) -> Receipt {
        self.catalog.commit(&of_tables(vec![load])).await.unwrap()
    }

    pub(super) async fn head(&self, table: &TableId) -> TableVersion {
        self.catalog.table(table, At::Head).await.unwrap().unwrap()
    }

    /// A job that waits.
    pub(super) async fn waiting_job(&self, job: NewJob) -> JobId {
        let id = job.id;
        assert_eq!(self.catalog.accept_jobs(&[job]).await.unwrap(), [Accepted::New(id)]);
        id
    }

    /// A job that is processing, at its first attempt.
    pub(super) async fn processing_job(&self) -> JobId {
        let job = self.waiting_job(new_job(None)).await;
        self.claimed(job, &worker()).await;
        job
    }

    pub(super) async fn claimed(&self, job: JobId, worker: &WorkerId) -> AttemptNumber {
        self.catalog.claim(job, worker).await.unwrap().unwrap()
    }
}

/// Of normal priority, with three attempts.
pub(super) fn new_job(configuration: Option<&str>) -> NewJob {
    NewJob {
        id: JobId::fresh(),
        key: None,
        component: component(),
        configuration: configuration.map(|id| ConfigurationId::parse(id).unwrap()),
        request: "{}".into(),
        priority: Priority::Normal,
        attempts_max: 3,
        reply: None,
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
