//! The frame of a configuration: is it a document, which rows has it.

use std::collections::HashSet;

use super::{Configuration, OnError, Parsed, Row};
use crate::component::content_hash;
use crate::component::document::{self, Item, Node, Place, Report, Value};
use crate::job::{IdError, RowId};

/// Reads a configuration as far as it goes; `file` names it in the complaints. An empty text is an empty one.
pub(crate) fn parse(text: &str, file: &str) -> Parsed {
    let (root, mut complaints) = match document::parse(text, file) {
        Ok(root) => (root, Vec::new()),
        Err(complaints) => (empty_root(Place::default()), complaints.0),
    };
    let report = Report::new(file);
    let root = match root.value {
        Value::Map(_) => root,
        Value::Null => empty_root(root.place),
        Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
            // Tells what is wrong; further on it counts as empty, so that nobody tells it again.
            Item::root(&root, "", &report).fields();
            empty_root(root.place)
        }
    };
    let (rows, on_error) = read_frame(&Item::root(&root, "", &report));
    complaints.extend(report.into_complaints());
    let hash = content_hash(canonical(&root).as_bytes());
    let configuration = Configuration { file: file.to_owned(), root, rows, on_error, hash };
    Parsed { configuration, complaints }
}

fn empty_root(place: Place) -> Node {
    Node { place, value: Value::Map(Vec::new()) }
}

/// The document as JSON with sorted keys.
fn canonical(root: &Node) -> String {
    let mut json = root.to_json();
    json.sort_all_objects();
    json.to_string()
}

/// The root's keys are not checked here but with the unit, which sees them merged.
fn read_frame(item: &Item<'_>) -> (Vec<Row>, OnError) {
    let Some(mut fields) = item.fields() else {
        return (Vec::new(), OnError::Stop);
    };
    let mut seen = HashSet::new();
    let rows = fields.get("rows").map(|item| item.items()).unwrap_or_default();
    let rows = rows.iter().enumerate().filter_map(|(index, item)| read_row(item, index, &mut seen)).collect();
    let words = [("stop", OnError::Stop), ("continue", OnError::Continue)];
    // `runtime` itself is checked with the unit; a wrong type is told there.
    let runtime = fields.get("runtime").filter(|item| matches!(item.node.value, Value::Map(_)));
    let on_error = runtime
        .and_then(|item| item.fields())
        .and_then(|mut runtime| runtime.get("on_error"))
        .and_then(|item| item.one_of(&words));
    (rows, on_error.unwrap_or_default())
}

fn read_row(item: &Item<'_>, index: usize, seen: &mut HashSet<String>) -> Option<Row> {
    let mut fields = item.fields()?;
    let id = fields.required("id").and_then(|item| {
        let parsed: Result<RowId, IdError> = RowId::parse(item.text_or_number()?);
        let id = parsed.map_err(|error| item.complain(error.to_string())).ok()?;
        if !seen.insert(id.to_string()) {
            item.complain(format!("the row id {id} is there twice"));
        }
        Some(id)
    });
    let disabled = [fields.get("isDisabled"), fields.get("is_disabled")];
    let is_enabled = !disabled.into_iter().flatten().any(|item| item.flag() == Some(true));
    let configuration = fields.get("configuration").filter(|item| item.fields().is_some());
    let configuration = configuration.map(|item| item.node.clone());
    fields.ignore(&[
        "name",
        "description",
        "version",
        "changeDescription",
        "state",
        "created",
        "creatorToken",
    ]);
    fields.finish();
    Some(Row { id: id?, index, is_enabled, configuration })
}
