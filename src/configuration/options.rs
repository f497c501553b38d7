//! What a mapping and a manifest may both say of an output table or file.

use std::collections::HashSet;

use jiff::Timestamp;

use super::moment::parse_moment;
use crate::component::document::{Fields, Item};
use crate::job::{DeleteWhere, FileOptions, Filter, FilterOperator, TableOptions};

/// The keys of a table, but for `source` and `destination`. What is left out although it would change data goes to
/// `notices`.
pub(super) fn read_table_options(
    fields: &mut Fields<'_>,
    now: Timestamp,
    notices: &mut Vec<String>,
) -> TableOptions {
    let flag = |item: Option<Item<'_>>| item.and_then(|item| item.flag());
    let incremental = flag(fields.get("incremental"));
    let primary_key_change = flag(fields.get("primary_key_change"));
    let has_header = flag(fields.get("has_header"));
    let write_always = flag(fields.get("write_always"));
    let schema = fields.filled("schema").map(|item| (read_schema(&item), item));
    let columns = fields.filled("columns").map(|item| (read_columns(&item), item));
    let primary_key = fields.get("primary_key").map(|item| (read_primary_key(&item), item));
    if let Some((_schema, item)) = &schema {
        let clash = columns.is_some() || primary_key.as_ref().is_some_and(|(key, _item)| !key.is_empty());
        if clash {
            item.complain("`schema` excludes `columns` and `primary_key`");
        }
    }
    let (delimiter, enclosure) = read_dialect(fields);
    let delete_where = read_delete_where(fields, now);
    let description = fields.get("description").and_then(|item| item.text()).map(str::to_owned);
    read_left_out(fields, notices);
    let columns = columns.map(|(columns, _item)| columns);
    check_key(primary_key.as_ref(), columns.as_deref());
    let (columns, primary_key) = match schema {
        Some((schema, _item)) => (Some(schema.columns), schema.primary_key),
        None => (columns, primary_key.map(|(key, _item)| key)),
    };
    TableOptions {
        incremental,
        primary_key,
        primary_key_change,
        columns,
        has_header,
        delimiter,
        enclosure,
        delete_where,
        write_always,
        description,
    }
}

/// Keys without a meaning here. Descriptions and warehouse layout are left out silently.
fn read_left_out(fields: &mut Fields<'_>, notices: &mut Vec<String>) {
    fields.ignore(&[
        "metadata",
        "column_metadata",
        "table_metadata",
        "distribution_key",
        "manifest_type",
        "tags",
    ]);
    if let Some(item) = fields.filled("deduplication_strategy") {
        let is_insert = item.one_of(&[("insert", true), ("upsert", false)]);
        if is_insert == Some(true) {
            notices
                .push(format!("{} is ignored: rows with a primary key are always deduplicated", item.path));
        }
    }
    if let Some(item) = fields.filled("unload_strategy") {
        item.complain("`unload_strategy` is not supported: there is no workspace to unload");
    }
}

fn check_key(primary_key: Option<&(Vec<String>, Item<'_>)>, columns: Option<&[String]>) {
    let (Some((key, item)), Some(columns)) = (primary_key, columns) else {
        return;
    };
    let columns: HashSet<&String> = columns.iter().collect();
    for name in key.iter().filter(|name| !columns.contains(name)) {
        item.complain(format!("{name} is none of `columns`"));
    }
}

/// Trimmed, without doubles and without the empty names that forms leave behind.
fn read_primary_key(item: &Item<'_>) -> Vec<String> {
    let mut known = HashSet::new();
    let names = item.texts().into_iter().map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty() && known.insert(name.clone())).collect()
}

fn read_columns(item: &Item<'_>) -> Vec<String> {
    let columns = item.texts();
    check_columns(item, &columns);
    columns
}

fn check_columns(item: &Item<'_>, columns: &[String]) {
    let mut known = HashSet::new();
    for name in columns {
        if name.is_empty() {
            item.complain("a column name is empty");
        } else if !known.insert(name) {
            item.complain(format!("the column {name} is there twice"));
        }
    }
}

struct Schema {
    columns: Vec<String>,
    /// `None` when no column is marked: the schema then says nothing of the key.
    primary_key: Option<Vec<String>>,
}

/// The newer way to name columns and key. Types are left out: every value is text here.
fn read_schema(item: &Item<'_>) -> Schema {
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    for item in item.items() {
        let Some(mut fields) = item.fields() else { continue };
        let name = fields.required("name").and_then(|item| item.text_or_number());
        let is_key = fields.get("primary_key").and_then(|item| item.flag()).unwrap_or(false);
        fields.ignore(&["data_type", "nullable", "distribution_key", "description", "metadata"]);
        fields.finish();
        let Some(name) = name else { continue };
        if is_key {
            key.push(name.clone());
        }
        columns.push(name);
    }
    check_columns(item, &columns);
    Schema { columns, primary_key: (!key.is_empty()).then_some(key) }
}

fn read_dialect(fields: &mut Fields<'_>) -> (Option<u8>, Option<u8>) {
    let byte = |item: &Item<'_>| {
        let byte = match item.text()?.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Some(*byte),
            _ => None,
        };
        if byte.is_none() {
            item.complain("expected one ASCII character, not a line end");
        }
        byte
    };
    let delimiter = fields.filled("delimiter");
    let enclosure = fields.get("enclosure");
    let bytes = (delimiter.as_ref().and_then(byte), enclosure.as_ref().and_then(byte));
    if let (Some(item), (Some(delimiter), Some(enclosure))) = (enclosure, bytes)
        && delimiter == enclosure
    {
        item.complain("delimiter and enclosure are the same character");
    }
    bytes
}

/// `delete_where` in its newer and older form; `None` when neither is there.
fn read_delete_where(fields: &mut Fields<'_>, now: Timestamp) -> Option<Vec<DeleteWhere>> {
    let deletions = fields.filled("delete_where");
    let column = fields.filled("delete_where_column");
    let values = fields.filled("delete_where_values");
    let operator = fields.filled("delete_where_operator");
    if let (Some(_deletions), Some(column)) = (&deletions, &column) {
        column.complain("`delete_where_column` and `delete_where` exclude each other");
    }
    match (column, values) {
        (Some(column), Some(values)) => {
            let filter = read_filter(&column, operator.as_ref(), &values)?;
            return Some(vec![DeleteWhere {
                changed_since: None,
                changed_until: None,
                filters: vec![filter],
            }]);
        }
        (Some(column), None) => column.complain("`delete_where_values` is missing"),
        (None, Some(values)) => values.complain("`delete_where_column` is missing"),
        (None, None) => {}
    }
    deletions.map(|item| item.items().iter().filter_map(|item| read_deletion(item, now)).collect())
}

fn read_deletion(item: &Item<'_>, now: Timestamp) -> Option<DeleteWhere> {
    let mut fields = item.fields()?;
    let mut moment = |key| fields.filled(key).and_then(|item| item.parsed(|text| parse_moment(text, now)));
    let (changed_since, changed_until) = (moment("changed_since"), moment("changed_until"));
    let filters = fields.filled("where_filters");
    let asked = filters.as_ref().map_or(0, |item| item.items().len());
    let filters = filters.map(|item| read_filters(&item)).unwrap_or_default();
    fields.finish();
    if changed_since.is_none() && changed_until.is_none() && asked == 0 {
        item.complain_with(
            "would delete every row",
            "give `where_filters`, `changed_since` or `changed_until`",
        );
        return None;
    }
    // With a filter lost to a mistake the rest would delete too much.
    (filters.len() == asked).then_some(DeleteWhere { changed_since, changed_until, filters })
}

/// A list of `{column, operator, values}`; `values_from_set` is the older name of `values`.
pub(super) fn read_filters(item: &Item<'_>) -> Vec<Filter> {
    let read = |item: &Item<'_>| {
        let mut fields = item.fields()?;
        let column = fields.required("column");
        let operator = fields.filled("operator");
        let values = [fields.get("values"), fields.get("values_from_set")];
        let elsewhere = [fields.filled("values_from_workspace"), fields.filled("values_from_storage")];
        fields.finish();
        if let Some(item) = elsewhere.into_iter().flatten().next() {
            item.complain_with("is not supported", "list the values in `values`");
            return None;
        }
        match values {
            [Some(values), None] | [None, Some(values)] => read_filter(&column?, operator.as_ref(), &values),
            [None, None] => {
                item.complain("`values` is missing");
                None
            }
            [Some(_values), Some(older)] => {
                older.complain("`values` and `values_from_set` exclude each other");
                None
            }
        }
    };
    item.items().iter().filter_map(read).collect()
}

pub(super) fn read_filter(
    column: &Item<'_>,
    operator: Option<&Item<'_>>,
    values: &Item<'_>,
) -> Option<Filter> {
    let words = FilterOperator::ALL.map(|operator| (operator.as_str(), operator));
    let operator = match operator {
        Some(item) => item.one_of(&words)?,
        None => FilterOperator::Eq,
    };
    let items = values.items();
    let texts: Vec<String> = items.iter().filter_map(Item::text_or_number).collect();
    let is_ordering = match operator {
        FilterOperator::Eq | FilterOperator::Ne => false,
        FilterOperator::Gt | FilterOperator::Ge | FilterOperator::Lt | FilterOperator::Le => true,
    };
    if texts.len() != items.len() {
        return None;
    }
    if texts.is_empty() || (is_ordering && texts.len() > 1) {
        let count = if is_ordering { "exactly one value" } else { "at least one value" };
        values.complain(format!("the operator {} needs {count}, found {}", operator.as_str(), texts.len()));
        return None;
    }
    Some(Filter { column: column.text_or_number()?, operator, values: texts })
}

/// The keys of a file, but for `source`.
pub(super) fn read_file_options(fields: &mut Fields<'_>) -> FileOptions {
    let tags = fields.filled("tags").map(|item| item.texts()).unwrap_or_default();
    let mut flag = |key| fields.get(key).and_then(|item| item.flag()).unwrap_or(false);
    let (is_permanent, is_public) = (flag("is_permanent"), flag("is_public"));
    // Whether files are encrypted is the blob store's matter, and nobody is notified of one.
    fields.ignore(&["is_encrypted", "notify"]);
    FileOptions { tags, is_permanent, is_public }
}
