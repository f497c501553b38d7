//! What is wrong in a document, each mistake with its place and, where we know one, its remedy.

use std::fmt;

/// One mistake in a spec, a configuration, a manifest or the settings.
///
/// Prints as `file:line:column: path: message (hint)`; parts that are not known are left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Complaint {
    pub file: String,
    /// Counted from 1.
    pub line: Option<usize>,
    /// In characters, counted from 1.
    pub column: Option<usize>,
    /// Where in the document, e.g. `storage.input.tables[0].source`; empty for the document itself.
    pub path: String,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a document, in the order of their places. Prints one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaints(pub Vec<Complaint>);

impl Complaints {
    /// The value when nothing is wrong with it, else everything that is.
    pub(crate) fn check<T>(value: Option<T>, complaints: Vec<Complaint>) -> Result<T, Self> {
        match value {
            Some(value) if complaints.is_empty() => Ok(value),
            Some(_) | None => Err(Self(complaints)),
        }
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, complaint) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            complaint.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaints {}
