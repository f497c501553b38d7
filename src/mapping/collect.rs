//! Looks at what a component left in `out/`, decides which table or file each entry becomes, and refuses what is
//! unsafe or unclear. Reads manifests, never rows; uploads nothing.

use std::collections::{HashMap, HashSet};

use super::beneath::{EntryKind, OutputFolder, PlainFile, UnsafeError};
use super::columns::sanitize_options;
use super::data_folder::DataFolder;
use super::destination::{self, DestinationError};
use super::pairing::{Pair, Paired, pair};
use super::plan::quoted;
use super::several::Several;
use super::threads::blocking;
use crate::component::Complaints;
use crate::configuration::{manifest_file_options, manifest_table_options};
use crate::job::{BadExit, CleanExit, FileOptions, OutputMapping, OutputTable, TableId, TableOptions};

/// A component can leave any number of folders; nobody reads about more than these.
const NOTICES_MAX: usize = 50;

/// What will be published, nothing of it read yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Collected {
    pub tables: Vec<CollectedTable>,
    pub files: Vec<CollectedFile>,
    /// What was left out without being an error, in sentences for the user.
    pub notices: Vec<String>,
}

/// One output that becomes one load of one table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CollectedTable {
    /// As people know it: `out/tables/orders.csv`.
    pub shown: String,
    pub table: TableId,
    /// The mapping's word over the manifest's; names sanitized where asked.
    pub options: TableOptions,
    /// One file, or the slices of a folder in the order of their names. Empty files are left out.
    pub parts: Vec<PlainFile>,
    /// Another output of this job is made of the same files, so they must stay where they are.
    pub is_shared: bool,
    pub sanitize_column_names: bool,
}

/// One output that becomes a stored file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CollectedFile {
    pub name: String,
    pub file: PlainFile,
    pub options: FileOptions,
}

/// Why an output is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectError {
    #[error(transparent)]
    Unsafe(#[from] UnsafeError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// Each complaint names the manifest, line and column.
    #[error("{complaints}")]
    Manifest { complaints: Complaints },
    #[error("{path} has no {missing} beside it")]
    OrphanedManifest { path: String, missing: String },
    #[error("{path} is mapped, but the component did not write it")]
    SourceMissing { path: String },
    #[error("{table} is written twice: by {first} and by {second}")]
    DuplicateDestination { table: TableId, first: String, second: String },
    #[error("{path} is a sliced table, which needs its columns: name them in the mapping or the manifest")]
    SlicedWithoutColumns { path: String },
    #[error(
        "{path} is empty, so its columns are unknown: write a header line, or name the columns in the mapping or \
         the manifest"
    )]
    EmptyWithoutColumns { path: String },
    #[error("{path} is said to have no header: name its columns in the mapping or the manifest")]
    HeadlessWithoutColumns { path: String },
    #[error("{path} has a column without a name among {columns}")]
    ColumnUnnamed { path: String, columns: String },
    #[error("{path} has the column {column:?} twice")]
    ColumnTwice { path: String, column: String },
}

/// Collects everything after a clean exit, or says all that is wrong.
pub(crate) async fn collect(
    mapping: &OutputMapping,
    folder: &DataFolder,
    _proof: &CleanExit,
) -> Result<Collected, Several<CollectError>> {
    let (mapping, folder) = (mapping.clone(), folder.clone());
    let (collected, errors) = blocking(move || Collector::new(&mapping, &folder, false).collect()).await;
    Several::none_of(errors).map(|()| collected)
}

/// Collects the tables marked `write_always` of a component that failed. What is wrong with any output is passed
/// over: it must not hide why the component failed.
pub(crate) async fn collect_despite(
    mapping: &OutputMapping,
    folder: &DataFolder,
    _proof: &BadExit,
) -> Collected {
    let (mapping, folder) = (mapping.clone(), folder.clone());
    let (mut collected, _passed_over) =
        blocking(move || Collector::new(&mapping, &folder, true).collect()).await;
    collected.tables.retain(|table| table.options.write_always == Some(true));
    collected.files.clear();
    collected
}

struct Collector<'a> {
    mapping: &'a OutputMapping,
    folder: &'a DataFolder,
    /// Only these tables count at all, so that another cannot clash with one of them.
    only_write_always: bool,
    collected: Collected,
    errors: Vec<CollectError>,
}

impl<'a> Collector<'a> {
    fn new(mapping: &'a OutputMapping, folder: &'a DataFolder, only_write_always: bool) -> Self {
        Self { mapping, folder, only_write_always, collected: Collected::default(), errors: Vec::new() }
    }

    fn collect(mut self) -> (Collected, Vec<CollectError>) {
        let paired = self.paired("out/tables");
        self.missing_sources("out/tables", &paired, self.mapping.tables.iter().map(|table| &table.source));
        for entry in paired.pairs {
            self.table(&entry);
        }
        self.duplicate_destinations();
        let paired = self.paired("out/files");
        self.missing_sources("out/files", &paired, self.mapping.files.iter().map(|file| &file.source));
        for entry in paired.pairs {
            self.file(entry);
        }
        let more = self.collected.notices.len().saturating_sub(NOTICES_MAX);
        if more > 0 {
            self.collected.notices.truncate(NOTICES_MAX);
            self.collected.notices.push(format!("{more} more folders in out/files were not kept"));
        }
        (self.collected, self.errors)
    }

    fn paired(&mut self, shown: &str) -> Paired {
        match OutputFolder::open(&self.folder.data(), shown, self.mapping.limits) {
            Ok(Some(folder)) => pair(&folder, &mut self.errors),
            Ok(None) => Paired::default(),
            Err(problem) => {
                self.errors.push(problem.into());
                Paired::default()
            }
        }
    }

    fn missing_sources<'n>(
        &mut self,
        shown: &str,
        paired: &Paired,
        sources: impl Iterator<Item = &'n String>,
    ) {
        let mut known: HashSet<&str> = paired.pairs.iter().map(|pair| pair.name.as_str()).collect();
        // What was refused is there: one error for it is enough.
        known.extend(paired.refused.iter().map(String::as_str));
        for source in sources {
            if known.insert(source) {
                self.errors.push(CollectError::SourceMissing { path: format!("{shown}/{source}") });
            }
        }
    }

    /// One entry of `out/tables`: once for each mapping of it, or once by its manifest and name alone.
    fn table(&mut self, pair: &Pair) {
        let manifest = match self.manifest(pair.manifest.as_ref(), manifest_table_options) {
            Ok(manifest) => manifest.unwrap_or_default(),
            Err(problem) => return self.errors.push(problem),
        };
        let Some(parts) = self.parts(pair) else { return };
        if !self.check_size(pair, &parts) {
            return;
        }
        let mapped: Vec<&OutputTable> =
            self.mapping.tables.iter().filter(|table| table.source == pair.name).collect();
        let is_shared = mapped.len() > 1;
        let wishes: Vec<(Option<&TableId>, TableOptions)> = if mapped.is_empty() {
            vec![(None, TableOptions::default())]
        } else {
            mapped.iter().map(|table| (table.destination.as_ref(), table.options.clone())).collect()
        };
        for (destination, options) in wishes {
            let mut options = options.over(manifest.0.clone());
            if self.mapping.sanitize_column_names {
                options = sanitize_options(options);
            }
            if self.only_write_always && options.write_always != Some(true) {
                continue;
            }
            match self.resolved(pair, destination, manifest.1.as_deref(), &options, &parts) {
                Err(problem) => self.errors.push(problem),
                Ok(table) => self.collected.tables.push(CollectedTable {
                    shown: pair.shown.clone(),
                    table,
                    options,
                    parts: parts.iter().filter(|part| part.bytes > 0).cloned().collect(),
                    is_shared,
                    sanitize_column_names: self.mapping.sanitize_column_names,
                }),
            }
        }
    }

    fn resolved(
        &self,
        pair: &Pair,
        destination: Option<&TableId>,
        manifest: Option<&str>,
        options: &TableOptions,
        parts: &[PlainFile],
    ) -> Result<TableId, CollectError> {
        check_columns(pair, options, parts)?;
        let bucket = self.mapping.default_bucket.as_deref();
        Ok(destination::resolve(destination, manifest, &pair.name, &pair.shown, bucket)?)
    }

    /// The files an entry is made of; `None` when something is wrong with one of them.
    fn parts(&mut self, pair: &Pair) -> Option<Vec<PlainFile>> {
        if let EntryKind::File(file) = &pair.kind {
            return Some(vec![file.clone()]);
        }
        let (entries, problems) =
            match OutputFolder::open(&self.folder.data(), &pair.shown, self.mapping.limits) {
                Ok(slices) => slices?.entries(),
                Err(problem) => (Vec::new(), vec![problem]),
            };
        let mut is_whole = problems.is_empty();
        self.errors.extend(problems.into_iter().map(CollectError::from));
        let mut parts = Vec::with_capacity(entries.len());
        for entry in entries {
            match entry.kind {
                EntryKind::File(file) => parts.push(file),
                EntryKind::Folder => {
                    is_whole = false;
                    let path = format!("{}/{}", pair.shown, entry.name);
                    self.errors.push(UnsafeError::NotAFile { path, what: "folder" }.into());
                }
            }
        }
        is_whole.then_some(parts)
    }

    fn manifest<T>(
        &self,
        manifest: Option<&PlainFile>,
        parse: impl Fn(&str, &str) -> Result<T, Complaints>,
    ) -> Result<Option<T>, CollectError> {
        let Some(file) = manifest else { return Ok(None) };
        let text = file.read_text(self.mapping.limits.manifest_bytes_max)?;
        let parsed = parse(&text, &file.shown);
        parsed.map(Some).map_err(|complaints| CollectError::Manifest { complaints })
    }

    /// Whether the files of an entry are not too much for one table.
    fn check_size(&mut self, pair: &Pair, parts: &[PlainFile]) -> bool {
        let bytes = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.bytes));
        let bytes_max = self.mapping.limits.table_bytes_max;
        if bytes > bytes_max {
            let path = pair.shown.clone();
            self.errors.push(UnsafeError::TableTooLarge { path, bytes, bytes_max }.into());
        }
        bytes <= bytes_max
    }

    fn duplicate_destinations(&mut self) {
        let mut writers: HashMap<&TableId, &str> = HashMap::new();
        for collected in &self.collected.tables {
            if let Some(first) = writers.insert(&collected.table, &collected.shown) {
                self.errors.push(CollectError::DuplicateDestination {
                    table: collected.table.clone(),
                    first: first.to_owned(),
                    second: collected.shown.clone(),
                });
            }
        }
    }

    fn file(&mut self, pair: Pair) {
        let file = match pair.kind {
            EntryKind::File(file) => file,
            EntryKind::Folder => {
                return self.collected.notices.push(format!("{} is a folder and was not kept", pair.shown));
            }
        };
        let mapped = self.mapping.files.iter().find(|mapped| mapped.source == pair.name);
        // Nothing is merged: the mapping's word is the whole word, but a broken manifest is told all the same.
        match self.manifest(pair.manifest.as_ref(), manifest_file_options) {
            Err(problem) => self.errors.push(problem),
            Ok(manifest) => {
                let options = mapped.map(|mapped| mapped.options.clone()).or(manifest).unwrap_or_default();
                self.collected.files.push(CollectedFile { name: pair.name, file, options });
            }
        }
    }
}

/// Whether the columns of an output can be known, and what is said of them makes sense.
fn check_columns(pair: &Pair, options: &TableOptions, parts: &[PlainFile]) -> Result<(), CollectError> {
    let path = || pair.shown.clone();
    let Some(columns) = &options.columns else {
        return match &pair.kind {
            EntryKind::Folder => Err(CollectError::SlicedWithoutColumns { path: path() }),
            EntryKind::File(_) if options.has_header == Some(false) => {
                Err(CollectError::HeadlessWithoutColumns { path: path() })
            }
            EntryKind::File(_) if parts.iter().all(|part| part.bytes == 0) => {
                Err(CollectError::EmptyWithoutColumns { path: path() })
            }
            EntryKind::File(_) => Ok(()),
        };
    };
    let mut known = HashSet::new();
    for column in columns {
        if column.is_empty() {
            return Err(CollectError::ColumnUnnamed { path: path(), columns: quoted(columns) });
        }
        if !known.insert(column) {
            return Err(CollectError::ColumnTwice { path: path(), column: column.clone() });
        }
    }
    Ok(())
}
