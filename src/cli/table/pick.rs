//! Which version, rows and columns of a table a command is about.

use jiff::Timestamp;

use crate::catalog::{At, TableVersion};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::csv::Selection;
use crate::job::{Filter, FilterOperator, TableId, VersionNumber};

/// `--version N` or `--at TIME`; the newest without either.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct VersionChoice {
    /// This version number
    #[arg(long, value_name = "N", conflicts_with = "at")]
    version: Option<u64>,
    /// The version that was newest at this time, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Timestamp>,
}

fn parse_moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_not_one| format!("{text:?} is not a time: write e.g. 2026-01-31T12:00:00Z"))
}

/// `--columns` and `--where`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RowChoice {
    /// Only these columns, in this order
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Vec<String>,
    /// Only rows for which this holds: col=value, col!=value, col>value, col>=value, col<value, col<=value
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
}

/// A parsed `--where`.
#[derive(Debug, Clone)]
struct Condition(Filter);

impl std::str::FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Longest first, so that `>=` is not read as `>`.
        let operators = [
            ("!=", FilterOperator::Ne),
            (">=", FilterOperator::Ge),
            ("<=", FilterOperator::Le),
            ("=", FilterOperator::Eq),
            (">", FilterOperator::Gt),
            ("<", FilterOperator::Lt),
        ];
        let first = operators
            .iter()
            .filter_map(|&(sign, operator)| text.find(sign).map(|at| (at, sign, operator)))
            .min_by_key(|&(at, sign, _)| (at, std::cmp::Reverse(sign.len())));
        let Some((at, sign, operator)) = first.filter(|&(at, ..)| at > 0) else {
            return Err(format!("{text:?} is no condition; write e.g. country=CZ or amount>=10"));
        };
        let (column, value) = text.split_at(at);
        let value = value.strip_prefix(sign).unwrap_or(value).to_owned();
        Ok(Self(Filter { column: column.to_owned(), operator, values: vec![value] }))
    }
}

impl VersionChoice {
    pub(super) async fn load(&self, table: &TableId, home: &Home) -> Result<TableVersion, Trouble> {
        let at = match (self.version, self.at) {
            (Some(version), _) => At::Version(VersionNumber(version)),
            (None, Some(time)) => At::Time(time),
            (None, None) => At::Head,
        };
        load_at(table, at, home).await
    }
}

pub(super) async fn load_at(table: &TableId, at: At, home: &Home) -> Result<TableVersion, Trouble> {
    if let Some(version) = home.catalog.table(table, at).await? {
        return Ok(version);
    }
    let history = home.catalog.history(table).await?;
    let (Some(first), Some(last)) = (history.last(), history.first()) else {
        return Err(no_such_table(table));
    };
    let (low, high) = (first.version.min(last.version), first.version.max(last.version));
    let what = match at {
        At::Head => "no version".to_owned(),
        At::Version(version) => format!("no version {version}"),
        At::Time(time) => format!("no version at {time}"),
    };
    let message = format!("table {table} has {what}: it has versions {low} to {high}");
    Err(Trouble::user(message).hint(format!("longshore table history {table} lists them")))
}

impl RowChoice {
    /// The selection, checked against the version's columns; all unknown names at once.
    pub(super) fn selection(&self, version: &TableVersion) -> Result<Selection, Trouble> {
        let filters: Vec<Filter> = self.conditions.iter().map(|condition| condition.0.clone()).collect();
        let named = self.columns.iter().chain(filters.iter().map(|filter| &filter.column));
        let unknown: Vec<String> = named
            .filter(|name| !version.columns.contains(name))
            .map(|name| format!("table {} has no column {name:?}", version.table))
            .collect();
        if !unknown.is_empty() {
            let hint = format!("its columns are {}", version.columns.join(", "));
            let mut trouble = Trouble::user(String::new()).hint(hint);
            trouble.messages = unknown;
            return Err(trouble);
        }
        let columns = if self.columns.is_empty() { version.columns.clone() } else { self.columns.clone() };
        Ok(Selection { columns, filters })
    }
}

pub(super) fn no_such_table(table: &TableId) -> Trouble {
    Trouble::user(format!("table {table} does not exist")).hint("longshore table ls lists the tables")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_splits_at_its_first_operator() {
        for (text, column, operator, value) in [
            ("a=b", "a", FilterOperator::Eq, "b"),
            ("a=b>=c", "a", FilterOperator::Eq, "b>=c"),
            ("a>=3", "a", FilterOperator::Ge, "3"),
            ("a!=x", "a", FilterOperator::Ne, "x"),
            ("a=", "a", FilterOperator::Eq, ""),
            ("a==b", "a", FilterOperator::Eq, "=b"),
        ] {
            let Condition(filter) = text.parse().unwrap();
            assert_eq!(
                (filter.column.as_str(), filter.operator, filter.values[0].as_str()),
                (column, operator, value)
            );
        }
        assert!("=x".parse::<Condition>().is_err() && "plain".parse::<Condition>().is_err());
    }
}
