//! Configurations (YAML or JSON) become what a run really does: one [`Unit`] per row, or one without rows.
//! Tells every mistake with its place, keeps what is right so that later checks can tell theirs too.
//! Never asks the catalog: whether a table exists is checked by whoever has one.

mod confidential;
mod input;
mod manifest;
mod merge;
mod moment;
mod names;
mod options;
mod output;
mod rewrite;
mod root;
mod secrets;
mod unit;

use std::collections::HashSet;
use std::fmt;

use crate::component::document::Node;
use crate::component::{Allotment, Complaint, Component, Limits};
use crate::job::{ConfigurationId, ContentHash, InputMapping, OutputMapping, RowId};

pub(crate) use confidential::{SecretCheck, spec_secret_complaints};
pub(crate) use manifest::{manifest_file_options, manifest_table_options};
pub(crate) use rewrite::{RewriteError, reseal_text, seal_text};
pub(crate) use root::parse;

/// What a user wants of a component, as far as it could be read.
#[derive(Clone)]
pub(crate) struct Configuration {
    file: String,
    root: Node,
    rows: Vec<Row>,
    pub on_error: OnError,
    /// Of the document with its keys sorted, so that formatting, order of keys and language do not count.
    pub hash: ContentHash,
}

/// What happens to the rows after one that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OnError {
    #[default]
    Stop,
    Continue,
}

/// A configuration and what is wrong with its frame: syntax, rows. [`Configuration::units`] tells the rest.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub configuration: Configuration,
    pub complaints: Vec<Complaint>,
}

/// One run of the component: the configuration, or one row merged over it.
#[derive(Clone, PartialEq)]
pub(crate) struct Unit {
    pub row: Option<RowId>,
    /// Place among all rows, disabled ones included; 0 without rows.
    pub row_index: usize,
    pub input: InputMapping,
    pub output: OutputMapping,
    /// Exactly what the component finds in its configuration file.
    pub config_document: serde_json::Value,
    /// Every value under a `#` key, also those of the component's image parameters. To be masked, never shown.
    pub secrets: Vec<String>,
    /// What this run may use, from the spec and from what this configuration asks for over it.
    pub allotment: Allotment,
    /// Replaces the spec's.
    pub image_tag: Option<String>,
    /// What the configuration asks for and this runner leaves out although it would change data.
    pub notices: Vec<String>,
    /// What stands before a path such as `storage.input.tables[0]` in [`Configuration::locate`]: empty or
    /// `rows[0].configuration.`.
    pub path_prefix: String,
}

#[derive(Clone)]
struct Row {
    id: RowId,
    index: usize,
    is_enabled: bool,
    configuration: Option<Node>,
}

impl Configuration {
    /// What this run does, and what is wrong with it. Disabled rows are left out. Relative times count from `now`.
    pub(crate) fn units(
        &self,
        component: &Component,
        id: Option<&ConfigurationId>,
        now: jiff::Timestamp,
    ) -> (Vec<Unit>, Vec<Complaint>) {
        let asked = unit::Asked { file: &self.file, component, id, now };
        if self.rows.is_empty() {
            return unit::read_unit(&self.root, None, &asked);
        }
        let mut units = Vec::new();
        let mut complaints: Vec<Complaint> = Vec::new();
        let mut told = HashSet::new();
        for row in self.rows.iter().filter(|row| row.is_enabled) {
            let node = (row.configuration.as_ref())
                .map_or_else(|| self.root.clone(), |over| merge::merge(&self.root, over));
            let (unit, of_row) = unit::read_unit(&node, Some((&row.id, row.index)), &asked);
            units.extend(unit);
            for complaint in of_row.into_iter().map(|complaint| self.with_origin(complaint)) {
                // A mistake of the root is met once in every row.
                if told.insert(complaint.clone()) {
                    complaints.push(complaint);
                }
            }
        }
        complaints.sort_by_key(|complaint| (complaint.line, complaint.column));
        (units, complaints)
    }

    /// The most that any of its runs of this component may use.
    pub(crate) fn limits(&self, component: &Component) -> Limits {
        let (units, _complaints) = self.units(component, None, jiff::Timestamp::UNIX_EPOCH);
        let each = units.iter().map(|unit| unit.allotment.limits);
        each.reduce(Limits::max).unwrap_or(component.limits)
    }

    /// The file it was read from, as complaints name it.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Line and column of a value, e.g. of `storage.input.tables[0].source`. A path of a row that the row does not
    /// say itself is found in the root.
    pub(crate) fn locate(&self, path: &str) -> Option<(usize, usize)> {
        let place = self.root.locate(path).or_else(|| self.root.locate(below_row(path)?))?;
        Some((place.line, place.column))
    }

    /// The complaint with the path of the place that it speaks of: the row's or the root's.
    fn with_origin(&self, complaint: Complaint) -> Complaint {
        if self.root.locate(&complaint.path).is_some() {
            return complaint;
        }
        match below_row(&complaint.path) {
            Some(path) if self.root.locate(path).is_some() => {
                Complaint { path: path.to_owned(), ..complaint }
            }
            Some(_) | None => complaint,
        }
    }
}

// Both hold secrets, which must not reach a log by way of `{:?}`.
impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows.len();
        f.debug_struct("Configuration").field("file", &self.file).field("rows", &rows).finish_non_exhaustive()
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit")
            .field("row", &self.row)
            .field("input", &self.input)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

/// `storage` of `rows[0].configuration.storage`.
fn below_row(path: &str) -> Option<&str> {
    path.strip_prefix("rows[")?.split_once("].configuration.").map(|(_index, path)| path)
}

#[cfg(test)]
mod tests;
