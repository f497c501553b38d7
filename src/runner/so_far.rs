//! How the units of a job have ended so far, and what the job comes to with them.

use crate::configuration::Unit;
use crate::job::{Failure, JobEnd, JobStatus, Outcome, Receipt};
use crate::result::{LeakPart, published_words};

/// Failed units are here only where the configuration says to go on.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    failures: Vec<(String, Failure)>,
    succeeded: usize,
}

impl SoFar {
    pub(super) fn succeed(&mut self) {
        self.succeeded += 1;
    }

    pub(super) fn fail(&mut self, unit: &Unit, failure: Failure) {
        let row = unit.row.as_ref().map_or_else(|| "configuration".to_owned(), |row| format!("row {row}"));
        self.failures.push((row, failure));
    }

    /// The job's end once its last unit has published and so many tables and files are there: known before that
    /// unit's commit, because the end is part of it.
    pub(super) fn end_with(&self, tables: usize, files: usize, leaks: &[LeakPart]) -> JobEnd {
        let message = published_words(tables, files);
        if self.failures.is_empty() && leaks.is_empty() {
            return JobEnd { status: JobStatus::Success, code: None, message };
        }
        JobEnd { status: JobStatus::Warning, code: None, message: self.warning(leaks) }
    }

    pub(super) fn into_outcome(mut self, published: Receipt, leaks: &[LeakPart]) -> Outcome {
        if self.failures.is_empty() && leaks.is_empty() {
            return Outcome::Succeeded(published);
        }
        if self.succeeded == 0 && !self.failures.is_empty() {
            return Outcome::Failed(self.failures.swap_remove(0).1);
        }
        Outcome::Warned { message: self.warning(leaks), receipt: published }
    }

    fn warning(&self, leaks: &[LeakPart]) -> String {
        let failed = self.failures.iter().map(|(row, failure)| format!("{row} failed: {}", failure.message));
        let lines: Vec<String> = failed.chain(leaks.iter().map(|leak| leak.found.clone())).collect();
        lines.join("\n")
    }
}
