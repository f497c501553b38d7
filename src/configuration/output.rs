//! `storage.output`: tables and files to publish.

use jiff::Timestamp;

use super::names::entry_name;
use super::options::{read_file_options, read_table_options};
use crate::component::document::Item;
use crate::job::{OutputFile, OutputLimits, OutputMapping, OutputTable, TableId};

pub(super) fn read_output(item: &Item<'_>, now: Timestamp, notices: &mut Vec<String>) -> OutputMapping {
    let Some(mut fields) = item.fields() else {
        return OutputMapping::default();
    };
    let default_bucket = fields.filled("default_bucket").and_then(|item| read_bucket(&item));
    let mut tables: Vec<OutputTable> = Vec::new();
    let items = fields.get("tables").map(|item| item.items()).unwrap_or_default();
    for (entry, item) in items.into_iter().enumerate() {
        let Some(table) = read_table(&item, entry, now, notices) else {
            continue;
        };
        let is_same =
            |other: &OutputTable| other.source == table.source && other.destination == table.destination;
        if tables.iter().any(is_same) {
            item.complain(format!("{} is mapped to the same destination twice", table.source));
        }
        tables.push(table);
    }
    let mut files: Vec<OutputFile> = Vec::new();
    for item in fields.get("files").map(|item| item.items()).unwrap_or_default() {
        let Some(file) = read_file(&item) else { continue };
        if files.iter().any(|other| other.source == file.source) {
            item.complain(format!("{} is mapped twice", file.source));
        }
        files.push(file);
    }
    if let Some(item) = fields.filled("treat_values_as_null") {
        notices.push(format!("{} is ignored: tables keep every value as it was written", item.path));
    }
    fields.ignore(&["data_type_support", "table_modifications", "table_files"]);
    fields.finish();
    // Whether names are changed is set for the whole house, not by a configuration.
    OutputMapping {
        tables,
        files,
        default_bucket,
        sanitize_column_names: false,
        limits: OutputLimits::default(),
    }
}

fn read_bucket(item: &Item<'_>) -> Option<String> {
    let bucket = item.text()?;
    if TableId::in_bucket(bucket, "name").is_err() {
        item.complain("not a bucket: expected `stage.bucket`, e.g. out.c-main");
        return None;
    }
    Some(bucket.to_owned())
}

fn read_table(
    item: &Item<'_>,
    entry: usize,
    now: Timestamp,
    notices: &mut Vec<String>,
) -> Option<OutputTable> {
    let mut fields = item.fields()?;
    let source = fields.required("source").and_then(|item| item.parsed(entry_name));
    let destination = fields.filled("destination").and_then(|item| item.parsed(str::parse));
    let options = read_table_options(&mut fields, now, notices);
    fields.finish();
    Some(OutputTable { entry, source: source?, destination, options })
}

fn read_file(item: &Item<'_>) -> Option<OutputFile> {
    let mut fields = item.fields()?;
    let source = fields.required("source").and_then(|item| item.parsed(entry_name));
    let options = read_file_options(&mut fields);
    fields.finish();
    Some(OutputFile { source: source?, options })
}
