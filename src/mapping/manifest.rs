//! Manifests: the JSON sidecars beside staged and produced tables and files. The wire words live here.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::plan::Fetch;
use crate::catalog::StoredFile;

pub(super) const SUFFIX: &str = ".manifest";

/// What a component is told of a staged table.
#[derive(Serialize)]
struct InputTableManifest<'a> {
    id: &'a str,
    uri: String,
    name: &'a str,
    primary_key: &'a [String],
    created: String,
    last_change_date: String,
    last_import_date: String,
    columns: &'a [String],
    metadata: [(); 0],
    column_metadata: Map<String, Value>,
    rows_count: u64,
    data_size_bytes: u64,
}

/// The text of a staged table's manifest. Row and byte counts are the table's, not the selection's.
pub(super) fn input_table(fetch: &Fetch) -> String {
    let version = &fetch.version;
    // The oldest rows that are still there: the version does not know when the table was first made.
    let created = version.slices.iter().map(|slice| slice.imported).min().unwrap_or(version.created);
    let no_metadata = || Value::Array(Vec::new());
    let manifest = InputTableManifest {
        id: version.table.as_str(),
        uri: format!("longshore://tables/{}/versions/{}", version.table, version.version),
        name: version.table.name(),
        primary_key: &version.primary_key,
        created: date(created),
        last_change_date: date(version.created),
        last_import_date: date(version.created),
        columns: &fetch.columns,
        metadata: [],
        column_metadata: fetch.columns.iter().map(|column| (column.clone(), no_metadata())).collect(),
        rows_count: version.rows,
        data_size_bytes: version.bytes,
    };
    pretty(&manifest)
}

#[derive(Serialize)]
struct InputFileManifest<'a> {
    id: u64,
    name: &'a str,
    created: String,
    is_public: bool,
    is_encrypted: bool,
    is_sliced: bool,
    tags: &'a [String],
    max_age_days: Option<u64>,
    size_bytes: u64,
}

/// The text of a staged file's manifest.
pub(super) fn input_file(file: &StoredFile) -> String {
    pretty(&InputFileManifest {
        id: file.id.0,
        name: &file.name,
        created: date(file.created),
        is_public: file.is_public,
        is_encrypted: false,
        is_sliced: false,
        tags: &file.tags,
        max_age_days: None,
        size_bytes: file.bytes,
    })
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
}

fn pretty(manifest: &impl Serialize) -> String {
    // Plain structs with text keys always serialise.
    let mut text = serde_json::to_string_pretty(manifest).unwrap_or_default();
    text.push('\n');
    text
}
