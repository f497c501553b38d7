//! `storage.input`: tables and files to stage.

use jiff::Timestamp;

use super::moment::read_changed_since;
use super::names::{claim_destination, confine};
use super::options::{read_filter, read_filters};
use crate::component::document::{Fields, Item};
use crate::component::read_positive;
use crate::job::{FileId, FileQuery, Filter, InputFile, InputMapping, InputTable, TableId};

/// What a files mapping gets that names no limit.
const FILES_MAX_DEFAULT: u64 = 100;

pub(super) fn read_input(item: &Item<'_>, now: Timestamp) -> InputMapping {
    let Some(mut fields) = item.fields() else {
        return InputMapping::default();
    };
    let mut taken = Vec::new();
    let items = fields.get("tables").map(|item| item.items()).unwrap_or_default();
    let tables = items.iter().enumerate();
    let tables = tables.filter_map(|(entry, item)| read_table(item, entry, now, &mut taken)).collect();
    let items = fields.get("files").map(|item| item.items()).unwrap_or_default();
    let files = items.iter().enumerate().filter_map(|(entry, item)| read_file(item, entry, now)).collect();
    fields.ignore(&["read_only_storage_access"]);
    fields.finish();
    InputMapping { tables, files }
}

/// A table without a readable source is dropped; anything else that is wrong only loses that part.
fn read_table<'a>(
    item: &Item<'a>,
    entry: usize,
    now: Timestamp,
    taken: &mut Vec<(String, Item<'a>)>,
) -> Option<InputTable> {
    let mut fields = item.fields()?;
    let source: Option<TableId> = fields.required("source").and_then(|item| item.parsed(str::parse));
    let said = fields.filled("destination");
    let named = said.as_ref().and_then(|item| item.parsed(confine));
    let columns = read_columns(&mut fields);
    let filters = read_all_filters(&mut fields);
    let changed_since = read_changed_since(fields.filled("changed_since"), fields.get("days"), now);
    let rows_max = fields.get("limit").and_then(|item| item.whole()).filter(|rows| *rows > 0);
    refuse(&mut fields, "source_branch_id", "reading from another branch is not supported");
    refuse(&mut fields, "source_search", "searching the source by metadata is not supported");
    if let Some(item) =
        fields.filled("file_type").filter(|item| item.text().is_some_and(|kind| kind != "csv"))
    {
        item.complain("only csv is supported");
    }
    // Warehouse matters: the inputs are files here, made anew for every run.
    fields.ignore(&["overwrite", "load_type", "use_view", "keep_internal_timestamp_column"]);
    fields.finish();
    let source = source?;
    let is_lost = said.is_some() && named.is_none();
    let destination = named.unwrap_or_else(|| source.to_string());
    // A destination that could not be read is not what it falls back to.
    if !is_lost {
        claim_destination(taken, &destination, said.unwrap_or_else(|| item.clone()));
    }
    Some(InputTable { entry, source, destination, columns, filters, changed_since, rows_max })
}

/// Tells that a key which would change what is read has no meaning here.
fn refuse(fields: &mut Fields<'_>, key: &'static str, message: &str) {
    if let Some(item) = fields.filled(key) {
        item.complain(message);
    }
}

/// `columns`, or the sources of `column_types`; where both are given they must name the same columns.
fn read_columns(fields: &mut Fields<'_>) -> Vec<String> {
    let columns = fields.filled("columns").map(|item| (item.texts(), item));
    let described = fields.filled("column_types").map(|item| (typed_columns(&item), item));
    for (names, item) in [&columns, &described].into_iter().flatten() {
        for (index, name) in names.iter().enumerate() {
            if name.is_empty() {
                item.complain("a column name is empty");
            } else if names.iter().take(index).any(|earlier| earlier == name) {
                item.complain(format!("the column {name} is there twice"));
            }
        }
    }
    match (columns, described) {
        (Some((columns, _item)), None) => columns,
        (None, Some((columns, _item))) => columns,
        (None, None) => Vec::new(),
        (Some((columns, _)), Some((typed, item))) => {
            let surplus = |these: &[String], those: &[String]| {
                let extra: Vec<&str> =
                    these.iter().filter(|c| !those.contains(c)).map(String::as_str).collect();
                extra.join(", ")
            };
            let (absent, extra) = (surplus(&columns, &typed), surplus(&typed, &columns));
            if !absent.is_empty() {
                item.complain(format!("has no entry for {absent} of `columns`"));
            }
            if !extra.is_empty() {
                item.complain(format!("names {extra}, which `columns` does not"));
            }
            columns
        }
    }
}

fn typed_columns(item: &Item<'_>) -> Vec<String> {
    let source = |item: &Item<'_>| {
        let mut fields = item.fields()?;
        let source = fields.required("source")?.text_or_number();
        fields.ignore(&["type", "destination", "length", "nullable"]);
        fields.ignore(&["convert_empty_values_to_null", "compression"]);
        fields.finish();
        source
    };
    item.items().iter().filter_map(source).collect()
}

/// `where_column` with its values and operator, and `where_filters`. All of them must hold.
fn read_all_filters(fields: &mut Fields<'_>) -> Vec<Filter> {
    let column = fields.filled("where_column");
    let values = fields.filled("where_values");
    let operator = fields.filled("where_operator");
    let mut filters = Vec::new();
    match (column, values) {
        (Some(column), Some(values)) => filters.extend(read_filter(&column, operator.as_ref(), &values)),
        (Some(column), None) => {
            column.complain_with("`where_values` is missing", "list the values to compare with");
        }
        (None, Some(values)) => {
            values.complain_with("`where_column` is missing", "name the column to compare");
        }
        // Forms leave the operator behind when the filter is emptied.
        (None, None) => {}
    }
    filters.extend(fields.filled("where_filters").map(|item| read_filters(&item)).unwrap_or_default());
    filters
}

fn read_file(item: &Item<'_>, entry: usize, now: Timestamp) -> Option<InputFile> {
    let mut fields = item.fields()?;
    let search = fields.filled("query");
    if let Some(item) = &search {
        item.complain_with("`query` is not supported", "select the files with `tags` or `source.tags`");
    }
    refuse(&mut fields, "filter_by_run_id", "selecting by run is not supported");
    let tags = fields.filled("tags");
    let source = fields.filled("source");
    let ids = fields.filled("file_ids");
    let limit = fields.get("limit");
    let since = fields.filled("changed_since");
    if let Some(ids) = &ids {
        for item in [&tags, &source, &limit, &since].into_iter().flatten() {
            item.complain_with("does not go with `file_ids`", format!("see {}", ids.path));
        }
    }
    if [&tags, &source, &ids, &search].iter().all(|selector| selector.is_none()) {
        item.complain_with("no files are selected", "give `tags`, `source.tags` or `file_ids`");
    }
    let query = read_query(tags, source, ids);
    let files_max = limit.and_then(|item| read_positive(&item)).unwrap_or(FILES_MAX_DEFAULT);
    let changed_since = read_changed_since(since, None, now);
    let processed_tags = fields.filled("processed_tags").map(|item| item.texts()).unwrap_or_default();
    if let Some(item) = fields.get("overwrite").filter(|item| item.flag() == Some(false)) {
        item.complain("`overwrite: false` has no meaning: the folder is new in every run");
    }
    fields.finish();
    let query = query?;
    // Files chosen by id are all wanted, however many.
    let files_max = if matches!(query, FileQuery::Ids(_)) { u64::MAX } else { files_max };
    Some(InputFile { entry, query, changed_since, files_max, processed_tags })
}

fn read_query(tags: Option<Item<'_>>, source: Option<Item<'_>>, ids: Option<Item<'_>>) -> Option<FileQuery> {
    if let Some(ids) = ids {
        let id = |item: &Item<'_>| item.whole().map(FileId);
        return Some(FileQuery::Ids(ids.items().iter().filter_map(id).collect()));
    }
    match (tags, source) {
        (Some(tags), None) => Some(FileQuery::Tags { include: tags.texts(), exclude: Vec::new() }),
        (None, Some(source)) => read_source_tags(&source),
        (Some(_tags), Some(source)) => {
            source.complain("`tags` and `source.tags` exclude each other");
            None
        }
        (None, None) => None,
    }
}

fn read_source_tags(item: &Item<'_>) -> Option<FileQuery> {
    let mut fields = item.fields()?;
    let tags = fields.required("tags");
    fields.finish();
    let (mut include, mut exclude) = (Vec::new(), Vec::new());
    for item in tags?.items() {
        let Some(mut fields) = item.fields() else { continue };
        let name = fields.required("name").and_then(|item| item.text_or_number());
        let is_wanted =
            fields.filled("match").and_then(|item| item.one_of(&[("include", true), ("exclude", false)]));
        fields.finish();
        let side = if is_wanted == Some(false) { &mut exclude } else { &mut include };
        side.extend(name);
    }
    Some(FileQuery::Tags { include, exclude })
}
