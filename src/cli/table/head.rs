use serde_json::{Map, Value};

use super::pick::{RowChoice, VersionChoice};
use crate::catalog::TableVersion;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, cut, grid};
use crate::csv::{Dialect, Selection, WriteDialect};
use crate::job::TableId;
use crate::mapping::{self, ExportOptions, ProgressSink};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders
    table: TableId,
    /// How many rows
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    rows: u64,
    #[command(flatten)]
    version: VersionChoice,
    #[command(flatten)]
    choice: RowChoice,
}

/// Longer cells are cut in text output; JSON has them whole.
const CELL_WIDTH_MAX: usize = 40;

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let version = arguments.version.load(&arguments.table, home).await?;
    let selection = arguments.choice.selection(&version)?;
    let columns = selection.columns.clone();
    let rows = read_rows(&version, selection, arguments.rows, home).await?;
    if printer.format == Format::Json {
        // A map that keeps the order of the columns.
        let object = |row: Vec<String>| -> Map<String, Value> {
            columns.iter().cloned().zip(row.into_iter().map(Value::String)).collect()
        };
        let objects: Vec<_> = rows.into_iter().map(object).collect();
        return printer.report(&objects, String::new);
    }
    let head: Vec<String> = columns.iter().map(|name| cut(name, CELL_WIDTH_MAX)).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cut(cell, CELL_WIDTH_MAX)).collect()).collect();
    printer.data(grid(&head, &[], &cells).as_bytes())
}

/// The first rows, unquoted.
async fn read_rows(
    version: &TableVersion,
    selection: Selection,
    rows_max: u64,
    home: &Home,
) -> Result<Vec<Vec<String>>, Trouble> {
    let write = WriteDialect { dialect: Dialect::CANONICAL, crlf: false };
    let options = ExportOptions { selection, write, header: true, rows_max: Some(rows_max) };
    let buffer = Buffer::default();
    mapping::export_table(version.clone(), options, &home.blobs, buffer.clone(), &ProgressSink::silent())
        .await
        .map_err(|error| Trouble::platform(&error))?;
    let bytes = buffer.take();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let rows = reader.records().map(|record| record.map(|record| record.iter().map(str::to_owned).collect()));
    rows.collect::<Result<_, csv::Error>>().map_err(|error| Trouble::platform(&error))
}

/// Collects what is exported; the exporting thread has the other handle.
#[derive(Debug, Clone, Default)]
struct Buffer(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        let mut bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut bytes)
    }
}

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
