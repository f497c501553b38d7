//! A document as a tree in which every value knows its place, whether it was YAML or JSON.
//! Reads text and nothing else: what the values mean is decided by whoever walks the tree.

mod item;
mod json;
mod visit;
mod yaml;

pub(crate) use item::{Fields, Item, Report, most_like};

use super::complaint::{Complaint, Complaints};

/// A place in a document; line and column (in characters) count from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    /// In the order written; keys are unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) key: String,
    pub(crate) node: Node,
}

/// Reads a document. `file` decides with the text which of the two languages it is, and names it in the complaint.
pub(crate) fn parse(text: &str, file: &str) -> Result<Node, Complaints> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A JSON text is nearly YAML; the differences (tabs, `\u` pairs, long keys) are why it has its own reader.
    let is_yaml = has_extension(file, &["yaml", "yml"]) || !text.trim_start().starts_with(['{', '[']);
    let parsed = if is_yaml { yaml::parse(text) } else { json::parse(text) };
    parsed.map_err(|fault| {
        Complaints(vec![Complaint {
            file: file.to_owned(),
            line: fault.place.map(|place| place.line),
            column: fault.place.map(|place| place.column),
            path: String::new(),
            message: fault.message,
            hint: None,
        }])
    })
}

/// Whether a file's name ends in one of these extensions, in any case.
pub(crate) fn has_extension(file: &str, extensions: &[&str]) -> bool {
    let found = std::path::Path::new(file).extension();
    extensions.iter().any(|extension| found.is_some_and(|found| found.eq_ignore_ascii_case(extension)))
}

/// Why a text is not a document.
#[derive(Debug)]
struct Fault {
    place: Option<Place>,
    message: String,
}

impl Node {
    /// The value without its places.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => serde_json::Value::Bool(*flag),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => serde_json::Value::String(text.clone()),
            Value::List(nodes) => serde_json::Value::Array(nodes.iter().map(Self::to_json).collect()),
            Value::Map(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }

    /// The value of a key; `None` also when this is no mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    /// Where the value at a path such as `tables[0].source` begins.
    pub(crate) fn locate(&self, path: &str) -> Option<Place> {
        if path.is_empty() {
            return Some(self.place);
        }
        let step = |label: &str, node: &Self| {
            let rest = path.strip_prefix(label)?;
            let at_border = rest.is_empty() || rest.starts_with(['.', '[']);
            at_border.then(|| node.locate(rest.strip_prefix('.').unwrap_or(rest)))?
        };
        match &self.value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
            Value::List(nodes) => {
                nodes.iter().enumerate().find_map(|(index, node)| step(&format!("[{index}]"), node))
            }
            Value::Map(entries) => {
                entries.iter().find_map(|entry| step(&join_path("", &entry.key), &entry.node))
            }
        }
    }
}

/// The path of a key below another path. Keys that would be misread as a path are bracketed and quoted.
pub(crate) fn join_path(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '#' | ' '));
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests;
