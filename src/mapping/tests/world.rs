//! A catalog, a blob store and a data folder in a temporary home, and short words for using them.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::blob::{BlobStore, test_bucket};
use crate::catalog::{At, Begun, Catalog, TableVersion};
use crate::component::DocumentFormat;
use crate::csv::{Dialect, Selection, WriteDialect};
use crate::job::{
    AttemptNumber, CleanExit, ComponentId, Exit, InputTable, JobId, OutputMapping, OutputTable, Receipt,
    TableId, TableOptions, WorkerId,
};
use crate::mapping::{
    Collected, DataFolder, ExportOptions, Fetch, ImportError, InputsSeen, Origin, Owner, ProgressSink,
    Publication, collect, commit, export_table, import_table, plan_inputs, upload,
};

pub(super) struct World {
    pub(super) home: TempDir,
    pub(super) catalog: Catalog,
    pub(super) blob: BlobStore,
}

/// Where a world's blobs lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lies {
    InADirectory,
    InABucket,
}

impl World {
    pub(super) async fn new() -> Self {
        let home = TempDir::new().unwrap();
        let blob = BlobStore::directory(&home.path().join("blobs"), "test", false).unwrap();
        Self::with(home, blob).await
    }

    /// `None`: there is no S3 server, which was printed. In CI that is a failure.
    pub(super) async fn on(lies: Lies) -> Option<Self> {
        match lies {
            Lies::InADirectory => Some(Self::new().await),
            Lies::InABucket => {
                let home = TempDir::new().unwrap();
                let blob = BlobStore::s3(&test_bucket()?, home.path(), "test").await.unwrap();
                Some(Self::with(home, blob).await)
            }
        }
    }

    async fn with(home: TempDir, blob: BlobStore) -> Self {
        let catalog = Catalog::open_sqlite(&home.path().join("catalog.sqlite")).await.unwrap();
        Self { home, catalog, blob }
    }

    /// Another handle on the same catalog and blobs, as a second process has.
    pub(super) async fn neighbour(&self) -> (Catalog, BlobStore) {
        let catalog = Catalog::open_sqlite(&self.home.path().join("catalog.sqlite")).await.unwrap();
        (catalog, self.blob.clone())
    }

    pub(super) async fn folder(&self) -> DataFolder {
        let work = self.home.path().join("work");
        DataFolder::create(&work, JobId::fresh(), AttemptNumber::FIRST, Owner::Image, DocumentFormat::Json)
            .await
            .unwrap()
    }

    /// A job that has begun.
    pub(super) async fn attempt(&self) -> (JobId, AttemptNumber) {
        let (job, component) = (JobId::fresh(), ComponentId::parse("acme.test").unwrap());
        let worker = WorkerId::parse("worker-1").unwrap();
        match self.catalog.begin_job(job, &component, None, "{}", &worker).await.unwrap() {
            Begun::Attempt(attempt) => (job, attempt),
            Begun::Busy(other) => panic!("busy with {other}"),
        }
    }

    pub(super) async fn try_import(
        &self,
        table: &str,
        csv: &str,
        options: TableOptions,
    ) -> Result<Receipt, ImportError> {
        let path = self.home.path().join(format!("import-{}.csv", JobId::fresh()));
        fs::write(&path, csv).unwrap();
        import_table(&path, id(table), options, &self.catalog, &self.blob, &ProgressSink::silent()).await
    }

    pub(super) async fn import(&self, table: &str, csv: &str, options: TableOptions) -> Receipt {
        self.try_import(table, csv, options).await.unwrap()
    }

    pub(super) async fn head(&self, table: &str) -> TableVersion {
        self.catalog.table(&id(table), At::Head).await.unwrap().unwrap()
    }

    /// The head of a table as CSV text.
    pub(super) async fn text(&self, table: &str) -> String {
        self.text_of(self.head(table).await).await
    }

    pub(super) async fn text_of(&self, version: TableVersion) -> String {
        let output = Shared::default();
        let options = ExportOptions {
            selection: Selection::default(),
            write: WriteDialect { dialect: Dialect::CANONICAL, crlf: false },
            header: true,
            rows_max: None,
        };
        export_table(version, options, &self.blob, output.clone(), &ProgressSink::silent()).await.unwrap();
        output.text()
    }

    /// Plans one input against the heads as they are.
    pub(super) async fn plan(&self, input: InputTable) -> Fetch {
        let heads = self.catalog.snapshot(std::slice::from_ref(&input.source)).await.unwrap();
        let mapping = crate::job::InputMapping { tables: vec![input], files: Vec::new() };
        let (mut fetches, complaints) = plan_inputs(&mapping, &heads, &InputsSeen::default());
        assert_eq!(complaints, []);
        fetches.remove(0)
    }

    /// Collects, uploads and commits what lies in the folder; an error as its text.
    pub(super) async fn publish(
        &self,
        folder: &DataFolder,
        mapping: &OutputMapping,
    ) -> Result<Receipt, String> {
        let collected = collect(mapping, folder, &clean()).await.map_err(|error| error.to_string())?;
        self.publish_collected(collected).await
    }

    pub(super) async fn publish_collected(&self, collected: Collected) -> Result<Receipt, String> {
        let progress = ProgressSink::silent();
        let uploaded = upload(collected, Origin::Import, &[], &self.catalog, &self.blob, &progress).await;
        let prepared = uploaded.map_err(|error| error.to_string())?;
        let committed = commit(prepared, Publication::default(), &self.catalog, &self.blob).await;
        committed.map_err(|error| error.to_string())
    }

    /// Everything the blob store holds.
    pub(super) async fn blobs(&self) -> Vec<String> {
        self.blob.list("").await.unwrap().into_iter().map(|stored| stored.key.to_string()).collect()
    }
}

/// Memory that a test reads after an export wrote it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn id(table: &str) -> TableId {
    table.parse().unwrap()
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

pub(super) fn clean() -> CleanExit {
    match CleanExit::from_code(0) {
        Exit::Clean(proof) => proof,
        Exit::Bad(bad) => panic!("code 0 is clean, not {bad:?}"),
    }
}

pub(super) fn input(source: &str, destination: &str) -> InputTable {
    InputTable {
        entry: 0,
        source: id(source),
        destination: destination.into(),
        columns: Vec::new(),
        filters: Vec::new(),
        changed_since: None,
        rows_max: None,
    }
}

pub(super) fn full() -> TableOptions {
    TableOptions::default()
}

pub(super) fn keyed(key: &[&str]) -> TableOptions {
    TableOptions { primary_key: Some(words(key)), ..TableOptions::default() }
}

pub(super) fn incremental() -> TableOptions {
    TableOptions { incremental: Some(true), ..TableOptions::default() }
}

pub(super) fn upsert(key: &[&str]) -> TableOptions {
    TableOptions { incremental: Some(true), ..keyed(key) }
}

pub(super) fn output(source: &str, destination: &str, options: TableOptions) -> OutputTable {
    OutputTable { entry: 0, source: source.into(), destination: Some(id(destination)), options }
}

/// A mapping of these tables, each in the place where it is.
pub(super) fn mapped(mut tables: Vec<OutputTable>) -> OutputMapping {
    for (entry, table) in tables.iter_mut().enumerate() {
        table.entry = entry;
    }
    OutputMapping { tables, ..OutputMapping::default() }
}

/// A path below `/data` of a folder.
pub(super) fn at(folder: &DataFolder, path: &str) -> PathBuf {
    folder.data().join(path)
}

pub(super) fn write(folder: &DataFolder, path: &str, text: &str) {
    fs::write(at(folder, path), text).unwrap();
}
