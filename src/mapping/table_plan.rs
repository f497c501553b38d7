//! What the header of an output says before its rows are read: which columns come, and whether they may.

use std::collections::HashSet;

use super::collect::CollectedTable;
use super::columns::sanitize;
use super::progress::ProgressSink;
use super::rules::{LoadRules, UploadError};
use super::slicing::{self, MadeSlice, Scratch, peek_columns, read_options};
use crate::catalog::TableVersion;

/// One table, its header known, nothing else of it read.
#[derive(Debug)]
pub(super) struct TablePlan {
    pub(super) table: CollectedTable,
    pub(super) rules: LoadRules,
    /// Of the load; empty where the header could not be read, which the check explains.
    pub(super) columns: Vec<String>,
    /// The header in the file is not what the columns are to be called.
    renamed: bool,
    pub(super) key: Vec<String>,
}

impl TablePlan {
    pub(super) fn new(table: CollectedTable, head: Option<&TableVersion>) -> Result<Self, UploadError> {
        let rules = LoadRules { table: table.table.clone(), options: table.options.clone() };
        let found = match (&table.options.columns, table.parts.first()) {
            (Some(columns), _) => columns.clone(),
            (None, None) => Vec::new(),
            (None, Some(part)) => {
                let dialect = read_options(&part.shown, &table.options, None).dialect;
                let peeked = peek_columns(&part.open()?, dialect).unwrap_or_default();
                // A header that cannot be is left to the check, which knows line and byte.
                if table.sanitize_column_names || is_plausible(&peeked) { peeked } else { Vec::new() }
            }
        };
        let columns: Vec<String> = if table.sanitize_column_names {
            found.iter().map(|column| sanitize(column)).collect()
        } else {
            found.clone()
        };
        let key = rules.effective_key(head)?;
        if !columns.is_empty() {
            rules.table_columns(&table.shown, &columns, head)?;
            rules.check_key(&table.shown, &columns, &key)?;
        }
        let renamed = columns != found;
        Ok(Self { table, rules, columns, renamed, key })
    }

    pub(super) fn read(
        &self,
        part: usize,
        scratch: &Scratch,
        progress: &ProgressSink,
    ) -> Result<Vec<MadeSlice>, UploadError> {
        let Some(file) = self.table.parts.get(part) else {
            return Ok(Vec::new());
        };
        let mut input = file.open()?;
        let renamed = self.renamed.then(|| self.columns.clone());
        let mut options = read_options(&file.shown, &self.table.options, renamed);
        options.key.clone_from(&self.key);
        slicing::take(&mut input, &options, scratch, progress)
            .map_err(|error| UploadError::of_table(error, &self.rules.table))
    }
}

/// Whether a header can be one at all: there are columns, and every column has a name of its own.
pub(super) fn is_plausible(columns: &[String]) -> bool {
    let distinct: HashSet<&String> = columns.iter().collect();
    !columns.is_empty() && distinct.len() == columns.len() && columns.iter().all(|column| !column.is_empty())
}
