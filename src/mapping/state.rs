//! What a configuration remembers between runs: the component's own state, and how far its inputs were read.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::beneath::{EntryKind, OutputFolder, UnsafeError};
use super::data_folder::DataFolder;
use super::files::FoundFiles;
use super::plan::Fetch;
use super::threads::blocking;
use crate::component::{Complaints, document};
use crate::job::{FileId, FileQuery, OutputLimits, TableId};

/// A state is a note, not a table: a larger one is a mistake of the component.
const STATE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The catalog keeps times to the microsecond, so this is the next moment after one.
const MOMENT: SignedDuration = SignedDuration::from_micros(1);

/// How far the inputs of a configuration were read by its last successful run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InputsSeen {
    /// When the version that was read was made.
    tables: Vec<(TableId, Timestamp)>,
    /// The newest file each query has seen.
    files: Vec<(FileQuery, FileId)>,
}

impl InputsSeen {
    /// The first moment whose rows the last run has not seen.
    pub(super) fn rows_since(&self, table: &TableId) -> Option<Timestamp> {
        let (_, seen) = self.tables.iter().find(|(seen, _)| seen == table)?;
        // At the end of time there is no next moment, and no row either.
        Some(seen.saturating_add(MOMENT).unwrap_or(*seen))
    }

    /// What is seen once a run on these inputs has succeeded. A query without a match keeps what it had seen.
    #[must_use]
    pub(crate) fn after(&self, fetches: &[Fetch], found: &[FoundFiles]) -> Self {
        let mut seen = self.clone();
        for fetch in fetches {
            seen.note_table(&fetch.version.table, fetch.version.created);
        }
        for entry in found {
            if let Some(newest) = entry.files.iter().map(|file| file.id).max() {
                seen.note_files(&entry.query, newest);
            }
        }
        seen
    }

    pub(super) fn newest_file(&self, query: &FileQuery) -> Option<FileId> {
        self.files.iter().find(|(seen, _)| seen == query).map(|(_, newest)| *newest)
    }

    pub(super) fn note_table(&mut self, table: &TableId, version_made: Timestamp) {
        self.tables.retain(|(seen, _)| seen != table);
        self.tables.push((table.clone(), version_made));
    }

    pub(super) fn note_files(&mut self, query: &FileQuery, newest: FileId) {
        self.files.retain(|(seen, _)| seen != query);
        self.files.push((query.clone(), newest));
    }
}

/// The stored state document of a configuration or row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// What the component wrote; an object.
    pub component: Value,
    pub seen: InputsSeen,
}

impl Default for State {
    fn default() -> Self {
        Self { component: Value::Object(Map::new()), seen: InputsSeen::default() }
    }
}

/// Why a state could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error(transparent)]
    Unsafe(#[from] UnsafeError),
    #[error("{path}, line {line}, column {column}: the state is not valid JSON: {problem}")]
    NotJson { path: String, line: usize, column: usize, problem: String },
    /// Names the file, line and column.
    #[error("{complaints}")]
    NotYaml { complaints: Complaints },
    #[error("{path}: the state must be an object, this is {found}")]
    NotAnObject { path: String, found: &'static str },
    #[error("the stored state cannot be read: {problem}")]
    Stored { problem: String },
}

impl State {
    /// Reads a stored state document.
    pub(crate) fn parse(text: &str) -> Result<Self, StateError> {
        let stored = |problem: String| StateError::Stored { problem };
        let document: StoredState = serde_json::from_str(text).map_err(|error| stored(error.to_string()))?;
        let mut seen = InputsSeen::default();
        for table in document.storage.input.tables {
            let id = table.source.parse().map_err(|error| stored(format!("{error}")))?;
            seen.tables.push((id, table.last_import_date));
        }
        for files in document.storage.input.files {
            let newest = FileId(files.last_import_id);
            let with = |excluded: bool| {
                let of_kind = files.tags.iter().filter(move |tag| (tag.r#match == "exclude") == excluded);
                of_kind.map(|tag| tag.name.clone()).collect()
            };
            seen.files.push((FileQuery::Tags { include: with(false), exclude: with(true) }, newest));
        }
        Ok(Self { component: document.component, seen })
    }

    /// The document to store, as JSON text.
    pub(crate) fn render(&self) -> String {
        let tables = self.seen.tables.iter();
        let tables =
            tables.map(|(table, made)| SeenTable { source: table.to_string(), last_import_date: *made });
        let files = self.seen.files.iter().filter_map(|(query, newest)| seen_files(query, *newest));
        let input = StoredInput { tables: tables.collect(), files: files.collect() };
        let document = StoredState { component: self.component.clone(), storage: StoredStorage { input } };
        // Maps with text keys and plain values always serialise.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

fn seen_files(query: &FileQuery, newest: FileId) -> Option<SeenFiles> {
    // Files asked for by id are never "new".
    let FileQuery::Tags { include, exclude } = query else {
        return None;
    };
    let tag = |r#match: &str| {
        let r#match = r#match.to_owned();
        move |name: &String| SeenTag { name: name.clone(), r#match: r#match.clone() }
    };
    let tags = include.iter().map(tag("include")).chain(exclude.iter().map(tag("exclude"))).collect();
    Some(SeenFiles { tags, last_import_id: newest.0 })
}

/// Reads the state a component left. One that wrote none has erased it: components rely on that.
pub(crate) async fn read_state(folder: &DataFolder) -> Result<Value, StateError> {
    let folder = folder.clone();
    blocking(move || read_output_state(&folder)).await
}

fn read_output_state(folder: &DataFolder) -> Result<Value, StateError> {
    let empty = Value::Object(Map::new());
    let path = folder.output_state();
    let name = path.trim_start_matches("out/");
    let Some(out) = OutputFolder::open(&folder.data(), "out", OutputLimits::default())? else {
        return Ok(empty);
    };
    let file = match out.look_if_there(name)? {
        None => return Ok(empty),
        Some(EntryKind::Folder) => {
            return Err(UnsafeError::NotAFile { path: path.into(), what: "folder" }.into());
        }
        Some(EntryKind::File(file)) => file,
    };
    let text = file.read_text(STATE_BYTES_MAX)?;
    let value = parse_output_state(&text, path)?;
    let not_an_object = |found| StateError::NotAnObject { path: path.into(), found };
    match value {
        Value::Object(_) => Ok(value),
        // PHP writes its empty map as a list.
        Value::Array(items) if items.is_empty() => Ok(empty),
        Value::Array(_) => Err(not_an_object("a list")),
        Value::Null => Err(not_an_object("null")),
        Value::Bool(_) => Err(not_an_object("a boolean")),
        Value::Number(_) => Err(not_an_object("a number")),
        Value::String(_) => Err(not_an_object("a text")),
    }
}

/// A component whose configuration is YAML writes its state so too.
fn parse_output_state(text: &str, path: &'static str) -> Result<Value, StateError> {
    if !document::has_extension(path, &["yml"]) {
        return serde_json::from_str(text).map_err(|error| StateError::NotJson {
            path: path.into(),
            line: error.line(),
            column: error.column(),
            problem: without_place(&error),
        });
    }
    document::parse(text, path)
        .map(|node| node.to_json())
        .map_err(|complaints| StateError::NotYaml { complaints })
}

/// The parser ends its words with the place, which is told before them.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _place)| problem).to_owned()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    #[serde(default)]
    component: Value,
    #[serde(default)]
    storage: StoredStorage,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredStorage {
    #[serde(default)]
    input: StoredInput,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredInput {
    #[serde(default)]
    tables: Vec<SeenTable>,
    #[serde(default)]
    files: Vec<SeenFiles>,
}

#[derive(Serialize, Deserialize)]
struct SeenTable {
    source: String,
    #[serde(rename = "lastImportDate")]
    last_import_date: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct SeenFiles {
    tags: Vec<SeenTag>,
    #[serde(rename = "lastImportId")]
    last_import_id: u64,
}

#[derive(Serialize, Deserialize)]
struct SeenTag {
    name: String,
    #[serde(default)]
    r#match: String,
}
