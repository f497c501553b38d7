use std::collections::HashMap;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use super::pick::load_at;
use crate::catalog::{At, TableVersion};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, printable, rows_text};
use crate::csv::{Dialect, Selection, WriteDialect};
use crate::job::{TableId, VersionNumber};
use crate::mapping::{self, ExportOptions, ProgressSink};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders
    table: TableId,
    /// The older version
    from: u64,
    /// The newer version
    to: u64,
    /// How many rows of each kind to show
    #[arg(long, short = 'n', default_value_t = 5, value_name = "N")]
    rows: usize,
}

#[derive(Debug, Default, Serialize)]
struct Difference {
    from: u64,
    to: u64,
    columns_added: Vec<String>,
    columns_removed: Vec<String>,
    rows_added: u64,
    rows_removed: u64,
    /// Rows whose primary key is in both versions with other values; 0 without a key.
    rows_changed: u64,
    added: Vec<Vec<String>>,
    removed: Vec<Vec<String>>,
    changed: Vec<Vec<String>>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let load = async |version| load_at(&arguments.table, At::Version(VersionNumber(version)), home).await;
    let (old, new) = (load(arguments.from).await?, load(arguments.to).await?);
    let difference = compare(old, new, arguments.rows, home).await?;
    printer.report(&difference, || text(&difference))
}

/// Compares what the versions do not share: a slice that both have with the same rows deleted is not read.
async fn compare(
    old: TableVersion,
    new: TableVersion,
    shown: usize,
    home: &Home,
) -> Result<Difference, Trouble> {
    let mut difference = Difference {
        from: old.version.0,
        to: new.version.0,
        columns_added: missing(&new.columns, &old.columns),
        columns_removed: missing(&old.columns, &new.columns),
        ..Difference::default()
    };
    let columns: Vec<String> =
        old.columns.iter().filter(|name| new.columns.contains(name)).cloned().collect();
    let key: Vec<usize> = if old.primary_key == new.primary_key {
        old.primary_key.iter().filter_map(|name| columns.iter().position(|column| column == name)).collect()
    } else {
        Vec::new()
    };
    let shared = |slice: &crate::catalog::Slice, other: &TableVersion| {
        difference.columns_added.is_empty()
            && other.slices.iter().any(|theirs| theirs.id == slice.id && theirs.deleted == slice.deleted)
    };
    let only = |version: &TableVersion, other: &TableVersion| TableVersion {
        slices: version.slices.iter().filter(|slice| !shared(slice, other)).cloned().collect(),
        ..version.clone()
    };
    let (only_old, only_new) = (only(&old, &new), only(&new, &old));
    let gone = read(&only_old, &columns, home).await?;
    let come = read(&only_new, &columns, home).await?;
    let (gone, come) = without_equal(gone, come);
    let mut gone_by_key: HashMap<u128, Vec<String>> = HashMap::new();
    let mut removed = Vec::new();
    for row in gone {
        if key.is_empty() {
            removed.push(row);
        } else {
            gone_by_key.insert(hash(key.iter().map(|&at| row[at].as_str())), row);
        }
    }
    for row in come {
        let is_change =
            !key.is_empty() && gone_by_key.remove(&hash(key.iter().map(|&at| row[at].as_str()))).is_some();
        let (count, rows) = if is_change {
            (&mut difference.rows_changed, &mut difference.changed)
        } else {
            (&mut difference.rows_added, &mut difference.added)
        };
        *count += 1;
        if rows.len() < shown {
            rows.push(row);
        }
    }
    removed.extend(gone_by_key.into_values());
    removed.sort();
    difference.rows_removed = removed.len() as u64;
    removed.truncate(shown);
    difference.removed = removed;
    Ok(difference)
}

fn missing(from: &[String], other: &[String]) -> Vec<String> {
    from.iter().filter(|name| !other.contains(name)).cloned().collect()
}

async fn read(version: &TableVersion, columns: &[String], home: &Home) -> Result<Vec<Vec<String>>, Trouble> {
    let selection = Selection { columns: columns.to_vec(), filters: Vec::new() };
    let write = WriteDialect { dialect: Dialect::CANONICAL, crlf: false };
    let options = ExportOptions { selection, write, header: true, rows_max: None };
    let file = tempfile::tempfile().map_err(|error| Trouble::platform(&error))?;
    let writer = file.try_clone().map_err(|error| Trouble::platform(&error))?;
    mapping::export_table(version.clone(), options, &home.blobs, writer, &ProgressSink::silent())
        .await
        .map_err(|error| Trouble::platform(&error))?;
    let rows = move || {
        use std::io::Seek as _;
        let mut file = file;
        file.rewind()?;
        let mut reader = csv::Reader::from_reader(file);
        reader.records().map(|record| Ok(record?.iter().map(str::to_owned).collect())).collect()
    };
    let read: Result<Result<Vec<_>, csv::Error>, _> = tokio::task::spawn_blocking(rows).await;
    read.map_err(|panicked| Trouble::platform(&panicked))?.map_err(|error| Trouble::platform(&error))
}

/// Takes out what is in both, row for row, whatever its place.
fn without_equal(gone: Vec<Vec<String>>, come: Vec<Vec<String>>) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let mut count: HashMap<u128, u64> = HashMap::new();
    for row in &gone {
        *count.entry(hash(row.iter().map(String::as_str))).or_default() += 1;
    }
    let mut matched: HashMap<u128, u64> = HashMap::new();
    let keep_new = |row: &Vec<String>| {
        let hash = hash(row.iter().map(String::as_str));
        match count.get_mut(&hash) {
            Some(left) if *left > 0 => {
                *left -= 1;
                *matched.entry(hash).or_default() += 1;
                false
            }
            Some(_) | None => true,
        }
    };
    let come: Vec<_> = come.into_iter().filter(keep_new).collect();
    let keep_old = |row: &Vec<String>| match matched.get_mut(&hash(row.iter().map(String::as_str))) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        Some(_) | None => true,
    };
    (gone.into_iter().filter(keep_old).collect(), come)
}

fn hash<'a>(values: impl Iterator<Item = &'a str>) -> u128 {
    let mut state = Xxh3::new();
    for value in values {
        state.update(&(value.len() as u64).to_le_bytes());
        state.update(value.as_bytes());
    }
    state.digest128()
}

fn text(difference: &Difference) -> String {
    let mut text = format!(
        "version {} to {}: {} added, {} removed, {} changed\n",
        difference.from,
        difference.to,
        rows_text(difference.rows_added),
        difference.rows_removed,
        difference.rows_changed
    );
    for (sign, names) in [("+", &difference.columns_added), ("-", &difference.columns_removed)] {
        for name in names {
            text += &format!("{sign} column {}\n", printable(name));
        }
    }
    for (sign, rows) in [("+", &difference.added), ("-", &difference.removed), ("~", &difference.changed)] {
        for row in rows {
            text += &format!("{sign} {}\n", printable(&row.join(" | ")));
        }
    }
    text
}
