//! How one run ended, and what was seen of it.

use std::time::Duration;

use super::published::Published;
use super::report::RunPart;
use crate::job::{BadExit, Exit};
use crate::result::ResultDocument;
use crate::runner::Examined;

/// How many lines are quoted of what may be a million.
pub(super) const LINES_MAX: usize = 5;

#[derive(Debug)]
pub(super) struct Ran {
    pub(super) name: String,
    pub(super) document: ResultDocument,
    /// One for every container, in their order; none where none was made.
    pub(super) containers: Vec<Examined>,
    /// What it published in its scratch project.
    pub(super) published: Published,
    /// Where secrets were found in what it left, in sentences.
    pub(super) leaks: Vec<String>,
    /// Lines in which a secret was masked, the first few.
    pub(super) masked_lines: Vec<String>,
    /// What the init process said of itself.
    pub(super) init_lines: Vec<String>,
}

impl Ran {
    /// It ended well and its outputs were valid.
    pub(super) fn is_success(&self) -> bool {
        self.document.status == "success" || self.document.status == "warning"
    }

    /// Every container of it ended well, whatever its outputs are worth.
    pub(super) fn is_clean(&self) -> bool {
        !self.containers.is_empty() && self.bad_exit().is_none()
    }

    /// Why a container of it did not end well.
    pub(super) fn bad_exit(&self) -> Option<&BadExit> {
        self.containers.iter().find_map(|container| match &container.exit {
            Exit::Bad(bad) => Some(bad),
            Exit::Clean(_) => None,
        })
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.document.error.as_ref().map(|error| error.code.as_str())
    }

    /// The message, in one line of bounded length.
    pub(super) fn message(&self) -> String {
        brief(&self.document.message)
    }

    pub(super) fn took(&self) -> Duration {
        self.containers.iter().map(|container| container.ran).sum()
    }

    pub(super) fn exit_code(&self) -> Option<i64> {
        self.containers.last().and_then(|container| container.exit_code)
    }

    pub(super) fn part(&self) -> RunPart {
        RunPart {
            name: self.name.clone(),
            status: self.document.status.clone(),
            code: self.code().map(str::to_owned),
            exit_code: self.exit_code(),
            message: self.message(),
            seconds: (self.took().as_secs_f64() * 1e3).round() / 1e3,
            memory_peak_bytes: self.document.usage.memory_peak_bytes,
        }
    }
}

/// Text in one line, not longer than a report bears.
pub(super) fn brief(text: &str) -> String {
    const CHARS_MAX: usize = 400;
    let line = text.lines().collect::<Vec<_>>().join(" / ");
    if line.chars().count() <= CHARS_MAX {
        return line;
    }
    line.chars().take(CHARS_MAX).chain(['…']).collect()
}
