//! Walking a tree: each step knows its path, and what is wrong is written down instead of ending the walk.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;

use super::{Entry, Node, Place, Value, join_path};
use crate::component::complaint::Complaint;

/// How unlike a known key may be and still be suggested; `strsim` calls 1 equal and 0 unlike.
const LIKENESS_MIN: f64 = 0.75;

/// Gathers the complaints about one document.
#[derive(Debug)]
pub(crate) struct Report {
    file: String,
    complaints: RefCell<Vec<Complaint>>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), complaints: RefCell::default() }
    }

    /// All that was found, in the order of the places; one mistake met twice is told once.
    pub(crate) fn into_complaints(self) -> Vec<Complaint> {
        let mut complaints = self.complaints.into_inner();
        let mut told = HashSet::new();
        complaints.retain(|complaint| told.insert(complaint.clone()));
        complaints.sort_by_key(|complaint| (complaint.line, complaint.column));
        complaints
    }

    fn add(&self, place: Place, path: &str, message: impl Into<String>, hint: Option<String>) {
        let known = place != Place::default();
        self.complaints.borrow_mut().push(Complaint {
            file: self.file.clone(),
            line: known.then_some(place.line),
            column: known.then_some(place.column),
            path: path.to_owned(),
            message: message.into(),
            hint,
        });
    }
}

/// A value on the way through a document.
#[derive(Debug, Clone)]
pub(crate) struct Item<'a> {
    pub(crate) node: &'a Node,
    pub(crate) path: String,
    report: &'a Report,
}

impl<'a> Item<'a> {
    /// The document itself; `path` prefixes the path of everything below.
    pub(crate) fn root(node: &'a Node, path: &str, report: &'a Report) -> Self {
        Self { node, path: path.to_owned(), report }
    }

    pub(crate) fn complain(&self, message: impl Into<String>) {
        self.report.add(self.node.place, &self.path, message, None);
    }

    pub(crate) fn complain_with(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.report.add(self.node.place, &self.path, message, Some(hint.into()));
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.complain(format!("expected {what}, found {}", describe(self.node)));
        None
    }

    /// The mapping's keys. An empty list counts as an empty mapping: PHP writes one for the other.
    pub(crate) fn fields(&self) -> Option<Fields<'a>> {
        let entries: &[Entry] = match &self.node.value {
            Value::Map(entries) => entries,
            Value::List(nodes) if nodes.is_empty() => &[],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                return self.expected("a mapping");
            }
        };
        Some(Fields { item: self.clone(), entries, known: Vec::new() })
    }

    /// The list's items; an empty mapping counts as an empty list.
    pub(crate) fn items(&self) -> Vec<Self> {
        match &self.node.value {
            Value::List(nodes) => (nodes.iter().enumerate())
                .map(|(index, node)| Self {
                    node,
                    path: format!("{}[{index}]", self.path),
                    report: self.report,
                })
                .collect(),
            Value::Map(entries) if entries.is_empty() => Vec::new(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => {
                self.expected::<()>("a list");
                Vec::new()
            }
        }
    }

    /// The mapping's values under their own keys, whatever those are.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Some(fields) = self.fields() else {
            return Vec::new();
        };
        fields.entries.iter().map(|entry| (entry.key.as_str(), fields.below(entry))).collect()
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Bool(_) => {
                let found = describe(self.node);
                self.complain_with(format!("expected a text, found {found}"), "put it in quotes");
                None
            }
            Value::Null | Value::List(_) | Value::Map(_) => self.expected("a text"),
        }
    }

    /// A text, or a number taken as the text it prints as: values of CSV fields and ids.
    pub(crate) fn text_or_number(&self) -> Option<String> {
        match &self.node.value {
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.text().map(str::to_owned)
            }
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.expected("true or false")
            }
        }
    }

    /// A whole number from 0 on; digits in quotes are taken as one.
    pub(crate) fn whole(&self) -> Option<u64> {
        let found = match &self.node.value {
            Value::Number(number) => number.as_u64(),
            Value::Text(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        };
        found.or_else(|| self.expected("a whole number"))
    }

    pub(crate) fn decimal(&self) -> Option<f64> {
        let found = match &self.node.value {
            Value::Number(number) => number.as_f64(),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        found.or_else(|| self.expected("a number"))
    }

    /// A text with a meaning; the parser's error becomes the complaint.
    pub(crate) fn parsed<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        parse(self.text()?).map_err(|error| self.complain(error.to_string())).ok()
    }

    /// An amount with its unit; a bare number is refused by the parser's own words.
    pub(crate) fn amount<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        parse(&self.text_or_number()?).map_err(|error| self.complain(error.to_string())).ok()
    }

    /// One of a closed list of words.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_word, meaning)) = words.iter().find(|(word, _meaning)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _meaning)| *word).collect();
        let message = format!("expected one of {}, found {text:?}", known.join(", "));
        match most_like(text, &known) {
            Some(word) => self.complain_with(message, format!("did you mean {word}?")),
            None => self.complain(message),
        }
        None
    }

    /// A list of texts, without those that are not texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.items().iter().filter_map(Self::text_or_number).collect()
    }
}

/// The keys of a mapping, asked for one by one; those nobody asked for are complained about at the end.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) item: Item<'a>,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key; `None` when it is absent or null.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.node.value != Value::Null).then(|| self.below(entry))
    }

    /// As `get`, without empty texts, lists and mappings, which forms write for "nothing said".
    pub(crate) fn filled(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.get(key).filter(|item| match &item.node.value {
            Value::Text(text) => !text.is_empty(),
            Value::List(nodes) => !nodes.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        })
    }

    /// As `get`, complaining about an absent key.
    pub(crate) fn required(&mut self, key: &'static str) -> Option<Item<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.item.complain(format!("`{key}` is missing"));
        }
        found
    }

    /// Takes keys that mean nothing here, so that nobody complains about them.
    pub(crate) fn ignore(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    /// Complains about every key that nobody asked for.
    pub(crate) fn finish(self) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let hint = most_like(&entry.key, &self.known).map(|key| format!("did you mean {key}?"));
            let path = join_path(&self.item.path, &entry.key);
            self.item.report.add(entry.place, &path, "unknown key", hint);
        }
    }

    fn below(&self, entry: &'a Entry) -> Item<'a> {
        let path = join_path(&self.item.path, &entry.key);
        Item { node: &entry.node, path, report: self.item.report }
    }
}

/// The word a person most likely meant.
pub(crate) fn most_like<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let scored = words.iter().map(|word| (strsim::jaro_winkler(&text.to_lowercase(), word), *word));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= LIKENESS_MIN).then_some(best.1)
}

/// What stands there, in words. Texts are not repeated: they may be secrets.
fn describe(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::Text(_) => "a text".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}
