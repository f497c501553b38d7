//! Manifests that a component leaves beside its outputs: the mapping's options, written by a program.

use jiff::Timestamp;

use super::options::{read_file_options, read_table_options};
use crate::component::document::{self, Fields, Item, Report};
use crate::component::{Complaint, Complaints};
use crate::job::{FileOptions, TableOptions};

/// A program can make any number of mistakes; nobody reads about more than these.
const TOLD_MAX: usize = 50;

/// Options and destination (a table id, or a name for the default bucket) of an output table.
pub(crate) fn manifest_table_options(
    text: &str,
    file: &str,
) -> Result<(TableOptions, Option<String>), Complaints> {
    read_manifest(text, file, |fields| {
        let destination = fields.filled("destination").and_then(|item| item.text()).map(str::to_owned);
        // A manifest is read right after it was written, so its relative times count from now; what it asks for in
        // vain is its component's matter, not one for the person who runs it.
        let options = read_table_options(fields, Timestamp::now(), &mut Vec::new());
        (options, destination)
    })
}

/// Options of an output file.
pub(crate) fn manifest_file_options(text: &str, file: &str) -> Result<FileOptions, Complaints> {
    read_manifest(text, file, read_file_options)
}

fn read_manifest<T>(
    text: &str,
    file: &str,
    read: impl FnOnce(&mut Fields<'_>) -> T,
) -> Result<T, Complaints> {
    let node = document::parse(text, file)?;
    let report = Report::new(file);
    let found = Item::root(&node, "", &report).fields().map(|mut fields| {
        let found = read(&mut fields);
        fields.finish();
        found
    });
    let mut complaints = report.into_complaints();
    let more = complaints.len().saturating_sub(TOLD_MAX);
    if more > 0 {
        complaints.truncate(TOLD_MAX);
        complaints.push(Complaint {
            file: file.to_owned(),
            line: None,
            column: None,
            path: String::new(),
            message: format!("{more} more mistakes"),
            hint: None,
        });
    }
    Complaints::check(found, complaints)
}
