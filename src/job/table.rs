//! `stage.bucket.name`, the full name of a table.

use std::fmt;
use std::str::FromStr;

/// A table's full name, e.g. `in.c-main.orders`.
///
/// Three parts without dots; each of `A-Z a-z 0-9 _ -`, at most 96 characters; the stage is `in` or `out`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableId {
    text: String,
    name_start: usize,
}

/// Why a text is not a table id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableIdError {
    #[error("{text:?} is not a table id: expected three parts `stage.bucket.name`, e.g. in.c-main.orders")]
    Parts { text: String },
    #[error("{text:?} is not a table id: the stage is {stage:?}, expected `in` or `out`")]
    Stage { text: String, stage: String },
    #[error("{text:?} is not a table id: {part:?} must be 1 to 96 of A-Z, a-z, 0-9, `_` and `-`")]
    Part { text: String, part: String },
}

const PART_LENGTH_MAX: usize = 96;

impl TableId {
    /// The table `name` in the bucket `stage.bucket`.
    pub(crate) fn in_bucket(bucket: &str, name: &str) -> Result<Self, TableIdError> {
        format!("{bucket}.{name}").parse()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The last part.
    pub(crate) fn name(&self) -> &str {
        // Found when parsing, behind a dot: always a character border.
        self.text.get(self.name_start..).unwrap_or_default()
    }
}

impl FromStr for TableId {
    type Err = TableIdError;

    fn from_str(text: &str) -> Result<Self, TableIdError> {
        let parts: Vec<&str> = text.split('.').collect();
        let [stage, bucket, name] = parts[..] else {
            return Err(TableIdError::Parts { text: text.into() });
        };
        if stage != "in" && stage != "out" {
            return Err(TableIdError::Stage { text: text.into(), stage: stage.into() });
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        for part in [bucket, name] {
            if part.is_empty() || part.len() > PART_LENGTH_MAX || !part.chars().all(legal) {
                return Err(TableIdError::Part { text: text.into(), part: part.into() });
            }
        }
        Ok(Self { text: text.into(), name_start: stage.len() + bucket.len() + 2 })
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_id_has_three_plain_parts() {
        let id: TableId = "in.c-main.orders_2024".parse().unwrap();
        assert_eq!((id.as_str(), id.name()), ("in.c-main.orders_2024", "orders_2024"));
        for bad in
            ["orders", "in.c-main", "in.c-main.a.b", "sys.c-main.a", "in..a", "in.c-main.", "in.c main.a"]
        {
            assert!(bad.parse::<TableId>().is_err(), "{bad} was accepted");
        }
    }
}
