//! Manifests: the JSON sidecars beside staged and produced tables and files. The wire words live here.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::plan::Fetch;
use crate::catalog::StoredFile;
use crate::job::{FileOptions, TableOptions};

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
    let created = version
        .slices
        .iter()
        .map(|slice| slice.imported)
        .min()
        .unwrap_or(version.created);
    let no_metadata = || Value::Array(Vec::new());
    let manifest = InputTableManifest {
        id: version.table.as_str(),
        uri: format!(
            "longshore://tables/{}/versions/{}",
            version.table, version.version
        ),
        name: version.table.name(),
        primary_key: &version.primary_key,
        created: date(created),
        last_change_date: date(version.created),
        last_import_date: date(version.created),
        columns: &fetch.columns,
        metadata: [],
        column_metadata: fetch
            .columns
            .iter()
            .map(|column| (column.clone(), no_metadata()))
            .collect(),
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

/// What a component says of a table it made, and the destination it names.
pub(super) fn output_table(text: &str, shown: &str) -> Result<(TableOptions, Option<String>), String> {
    stand_in::table_options(text, shown)
}

/// What a component says of a file it made.
pub(super) fn output_file(text: &str, shown: &str) -> Result<FileOptions, String> {
    stand_in::file_options(text, shown)
}

/// Reads the commonest keys until the configuration room reads them all.
mod stand_in {
    use serde_json::Value;

    use super::{FileOptions, TableOptions};

    pub(super) fn table_options(text: &str, shown: &str) -> Result<(TableOptions, Option<String>), String> {
        let document: Value = serde_json::from_str(text).map_err(|error| format!("{shown}: {error}"))?;
        let flag = |key: &str| document.get(key).and_then(Value::as_bool);
        let word = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let byte = |key: &str| word(key).and_then(|text| text.bytes().next());
        let options = TableOptions {
            incremental: flag("incremental"),
            primary_key: list(&document, "primary_key"),
            primary_key_change: flag("primary_key_change"),
            columns: list(&document, "columns"),
            has_header: flag("has_header"),
            delimiter: byte("delimiter"),
            enclosure: byte("enclosure"),
            delete_where: None,
            write_always: flag("write_always"),
            description: word("description"),
        };
        Ok((options, word("destination")))
    }

    pub(super) fn file_options(text: &str, shown: &str) -> Result<FileOptions, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| format!("{shown}: {error}"))?;
        let flag = |key: &str| document.get(key).and_then(Value::as_bool).unwrap_or(false);
        let tags = list(&document, "tags").unwrap_or_default();
        Ok(FileOptions {
            tags,
            is_permanent: flag("is_permanent"),
            is_public: flag("is_public"),
        })
    }

    fn list(document: &Value, key: &str) -> Option<Vec<String>> {
        let items = document.get(key)?.as_array()?;
        Some(
            items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    }
}
