//! What is to be staged and whether outputs can be taken, decided before anything is pulled, copied or run.
//! Pure: heads of tables in, fetches and complaints out.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::columns::sanitize_options;
use super::state::InputsSeen;
use crate::catalog::{Slice, TableVersion};
use crate::job::{
    ChangedSince, DeleteWhere, Filter, InputMapping, InputTable, OutputMapping, TableId, TableOptions,
};

/// One table to stage: which version, and which part of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fetch {
    /// File name below `in/tables/`.
    pub destination: String,
    pub version: TableVersion,
    /// Output columns in order, never empty.
    pub columns: Vec<String>,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Only rows imported at this moment or later.
    pub imported_since: Option<Timestamp>,
    pub rows_max: Option<u64>,
}

impl Fetch {
    /// Every row and column, in the table's own order.
    pub(crate) fn is_whole(&self) -> bool {
        self.columns == self.version.columns
            && self.filters.is_empty()
            && self.rows_max.is_none_or(|rows_max| rows_max >= self.version.rows)
            && self
                .imported_since
                .is_none_or(|since| self.version.slices.iter().all(|slice| slice.imported >= since))
    }

    /// Slices that are new enough and still have rows, in order.
    pub(super) fn wanted_slices(&self) -> impl Iterator<Item = &Slice> {
        let since = self.imported_since;
        let slices = self.version.slices.iter();
        slices
            .filter(move |slice| since.is_none_or(|since| slice.imported >= since))
            .filter(|slice| slice.deleted.len() < slice.rows)
    }
}

/// What is wrong with one place of the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanComplaint {
    /// Where in the configuration, e.g. `storage.input.tables[2].columns[1]`; the caller knows line and column.
    pub path: String,
    pub message: String,
}

/// Plans the input tables. `heads` stand beside `mapping.tables`, one for one; `seen` says how far the last
/// successful run of this configuration had read.
pub(crate) fn plan_inputs(
    mapping: &InputMapping,
    heads: &[Option<TableVersion>],
    seen: &InputsSeen,
) -> (Vec<Fetch>, Vec<PlanComplaint>) {
    let mut fetches = Vec::new();
    let mut complaints = destination_clashes(mapping);
    for (index, input) in mapping.tables.iter().enumerate() {
        let path = format!("storage.input.tables[{}]", input.entry);
        let Some(Some(head)) = heads.get(index) else {
            let message = format!("table {} does not exist", input.source);
            complaints.push(PlanComplaint { path: format!("{path}.source"), message });
            continue;
        };
        let unknown = unknown_columns(&path, input, head);
        if unknown.is_empty() {
            fetches.push(fetch(input, head, seen));
        }
        complaints.extend(unknown);
    }
    (fetches, complaints)
}

fn fetch(input: &InputTable, head: &TableVersion, seen: &InputsSeen) -> Fetch {
    let imported_since = match input.changed_since {
        None => None,
        Some(ChangedSince::At(moment)) => Some(moment),
        Some(ChangedSince::LastRun) => seen.rows_since(&input.source),
    };
    Fetch {
        destination: input.destination.clone(),
        version: head.clone(),
        columns: if input.columns.is_empty() { head.columns.clone() } else { input.columns.clone() },
        filters: input.filters.clone(),
        imported_since,
        rows_max: input.rows_max,
    }
}

fn unknown_columns(path: &str, input: &InputTable, head: &TableVersion) -> Vec<PlanComplaint> {
    let known: HashSet<&str> = head.columns.iter().map(String::as_str).collect();
    let has = || format!("table {} has {}", head.table, quoted(&head.columns));
    let mut complaints = Vec::new();
    let mut asked = HashSet::new();
    for (position, column) in input.columns.iter().enumerate() {
        let path = format!("{path}.columns[{position}]");
        if !known.contains(column.as_str()) {
            complaints
                .push(PlanComplaint { path, message: format!("there is no column {column:?}: {}", has()) });
        } else if !asked.insert(column) {
            complaints.push(PlanComplaint { path, message: format!("column {column:?} is asked for twice") });
        }
    }
    // Filters come from two places of a configuration, so only their mapping entry can be named.
    for filter in input.filters.iter().filter(|filter| !known.contains(filter.column.as_str())) {
        let message = format!("a filter asks for column {:?}, which is not there: {}", filter.column, has());
        complaints.push(PlanComplaint { path: path.into(), message });
    }
    complaints
}

/// Two inputs that would write the same path, a manifest over a table, or a file where a folder must be.
fn destination_clashes(mapping: &InputMapping) -> Vec<PlanComplaint> {
    let mut owners: HashMap<String, usize> = HashMap::new();
    let mut complaints = Vec::new();
    for input in &mapping.tables {
        let (entry, destination) = (input.entry, &input.destination);
        let taken = [destination.clone(), format!("{destination}.manifest")];
        let clash = taken.iter().find_map(|name| owners.get(name));
        if let Some(other) = clash {
            let message =
                format!("destination {destination:?} clashes with the one of storage.input.tables[{other}]");
            let path = format!("storage.input.tables[{entry}].destination");
            complaints.push(PlanComplaint { path, message });
        }
        for name in taken {
            owners.entry(name).or_insert(entry);
        }
    }
    for input in &mapping.tables {
        let folders =
            input.destination.match_indices('/').filter_map(|(end, _)| input.destination.get(..end));
        if let Some(other) = folders.into_iter().find_map(|folder| owners.get(folder)) {
            let destination = &input.destination;
            let message =
                format!("{destination:?} needs a folder where storage.input.tables[{other}] puts a file");
            let path = format!("storage.input.tables[{}].destination", input.entry);
            complaints.push(PlanComplaint { path, message });
        }
    }
    complaints
}

/// Looks at the output mapping before the run. `heads` stand beside `mapping.tables`: the table each entry writes to,
/// `None` where there is none yet or the entry names no destination.
pub(crate) fn plan_outputs(mapping: &OutputMapping, heads: &[Option<TableVersion>]) -> Vec<PlanComplaint> {
    let mut complaints = Vec::new();
    if let Some(bucket) = &mapping.default_bucket
        && let Err(problem) = TableId::in_bucket(bucket, "a")
    {
        let message =
            format!("{bucket:?} is not a bucket, expected stage.bucket, e.g. in.c-main ({problem})");
        complaints.push(PlanComplaint { path: "storage.output.default_bucket".into(), message });
    }
    let mut writers: HashMap<&TableId, usize> = HashMap::new();
    for (index, output) in mapping.tables.iter().enumerate() {
        let path = format!("storage.output.tables[{}]", output.entry);
        if let Some(destination) = &output.destination {
            let first = *writers.entry(destination).or_insert(output.entry);
            if first != output.entry {
                let message = format!("{destination} is already written by storage.output.tables[{first}]");
                complaints.push(PlanComplaint { path: format!("{path}.destination"), message });
            }
        }
        let mut options = output.options.clone();
        if mapping.sanitize_column_names {
            options = sanitize_options(options);
        }
        complaints.extend(own_columns(&path, &options));
        if let Some(Some(head)) = heads.get(index) {
            complaints.extend(against_head(&path, &options, head));
        }
    }
    complaints
}

/// What an entry says of its own columns must hold together.
fn own_columns(path: &str, options: &TableOptions) -> Vec<PlanComplaint> {
    let Some(columns) = &options.columns else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    let mut known = HashSet::new();
    for (position, column) in columns.iter().enumerate() {
        let path = format!("{path}.columns[{position}]");
        if column.is_empty() {
            complaints.push(PlanComplaint { path, message: "a column needs a name".into() });
        } else if !known.insert(column.as_str()) {
            complaints.push(PlanComplaint { path, message: format!("column {column:?} is named twice") });
        }
    }
    let key = options.primary_key.iter().flatten().enumerate();
    for (position, column) in
        key.filter(|(_, column)| !known.contains(column.trim()) && !column.trim().is_empty())
    {
        let message = format!("primary key column {column:?} is not among the columns {}", quoted(columns));
        complaints.push(PlanComplaint { path: format!("{path}.primary_key[{position}]"), message });
    }
    complaints
}

fn against_head(path: &str, options: &TableOptions, head: &TableVersion) -> Vec<PlanComplaint> {
    let mut complaints = Vec::new();
    if let Some(said) = &options.primary_key
        && !same_key(&clean_key(said), &head.primary_key)
        && options.primary_key_change != Some(true)
    {
        complaints.push(PlanComplaint {
            path: format!("{path}.primary_key"),
            message: key_differs(&head.table, &clean_key(said), &head.primary_key),
        });
    }
    let filters = options.delete_where.iter().flatten().flat_map(|deletion: &DeleteWhere| &deletion.filters);
    for filter in filters.filter(|filter| !head.columns.contains(&filter.column)) {
        let message = format!(
            "delete_where asks for column {:?}, which is not there: table {} has {}",
            filter.column,
            head.table,
            quoted(&head.columns)
        );
        complaints.push(PlanComplaint { path: path.into(), message });
    }
    complaints
}

/// The order in which key columns are named does not matter.
pub(super) fn same_key(one: &[String], other: &[String]) -> bool {
    let (one, other): (HashSet<&String>, HashSet<&String>) = (one.iter().collect(), other.iter().collect());
    one == other
}

/// Trimmed, without empty and repeated names: what configurations contain is not always tidy.
pub(super) fn clean_key(said: &[String]) -> Vec<String> {
    let mut key: Vec<String> = Vec::new();
    for column in said.iter().map(|column| column.trim()).filter(|column| !column.is_empty()) {
        if !key.iter().any(|known| known == column) {
            key.push(column.to_owned());
        }
    }
    key
}

pub(super) fn key_differs(table: &TableId, said: &[String], has: &[String]) -> String {
    format!(
        "primary key {} differs from that of table {table}, {}: allow the change by primary_key_change: true in the mapping, or \
         --change-primary-key of an import",
        key_text(said),
        key_text(has)
    )
}

fn key_text(key: &[String]) -> String {
    if key.is_empty() { "(none)".into() } else { quoted(key) }
}

pub(super) fn quoted(names: &[String]) -> String {
    const SHOWN_MAX: usize = 50;
    let shown: Vec<String> = names.iter().take(SHOWN_MAX).map(|name| format!("{name:?}")).collect();
    let more = names.len().saturating_sub(SHOWN_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
