use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::pick::{RowChoice, VersionChoice};
use crate::catalog::TableVersion;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, rows_text};
use crate::cli::progress::Progress;
use crate::csv::{Copied, Dialect, WriteDialect};
use crate::job::TableId;
use crate::mapping::{self, ExportOptions};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders
    table: TableId,
    /// Where to; stdout without it, or with `-`
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    version: VersionChoice,
    #[command(flatten)]
    rows: RowChoice,
    /// At most this many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Field delimiter, one character or `\t`
    #[arg(long, default_value = ",", value_name = "BYTE", value_parser = super::import::delimiter)]
    delimiter: u8,
    /// Leave out the header line
    #[arg(long)]
    no_header: bool,
    /// End lines with CR LF
    #[arg(long)]
    crlf: bool,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let version = arguments.version.load(&arguments.table, home).await?;
    let options = ExportOptions {
        selection: arguments.rows.selection(&version)?,
        write: WriteDialect {
            dialect: Dialect { delimiter: arguments.delimiter, ..Dialect::CANONICAL },
            crlf: arguments.crlf,
        },
        header: !arguments.no_header,
        rows_max: arguments.limit,
    };
    let path = arguments.output.filter(|path| path.as_os_str() != "-");
    // Rows that go to the same terminal would tear the bar.
    let is_watched = path.is_some() || !io::stdout().is_terminal();
    let watcher = Printer { is_quiet: printer.is_quiet || !is_watched, ..printer };
    let bar = Progress::bytes(watcher, &format!("exporting {}", arguments.table), Some(version.bytes));
    let progress = bar.sink();
    let exported = match &path {
        Some(path) => {
            let file = create(path)?;
            mapping::export_table(version.clone(), options, &home.blobs, file, &progress).await
        }
        None => mapping::export_table(version.clone(), options, &home.blobs, io::stdout(), &progress).await,
    };
    drop(bar);
    match exported {
        Ok(copied) => {
            if let Some(path) = path {
                printer.note(&format!("exported {} to {}", rows_text(copied.rows), path.display()));
                if printer.format == Format::Json {
                    let view = ExportView::of(&version, &path, copied);
                    printer.report(&view, String::new)?;
                }
            }
            Ok(())
        }
        // Whoever read our output has seen enough.
        Err(error) if error.is_broken_pipe() => Ok(()),
        Err(error) => Err(Trouble::platform(&error)),
    }
}

/// What `--format json` prints of an export to a file; the table itself is always CSV.
#[derive(Debug, Serialize)]
struct ExportView {
    id: String,
    version: u64,
    rows: u64,
    bytes: u64,
    file: String,
}

impl ExportView {
    fn of(version: &TableVersion, path: &Path, copied: Copied) -> Self {
        Self {
            id: version.table.to_string(),
            version: version.version.0,
            rows: copied.rows,
            bytes: copied.bytes,
            file: path.display().to_string(),
        }
    }
}

fn create(path: &Path) -> Result<File, Trouble> {
    File::create(path).map_err(|error| {
        let cannot = Trouble::user(format!("cannot write {}: {error}", path.display()));
        match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            Some(folder) => cannot.hint(format!("make the folder {} first", folder.display())),
            None => cannot,
        }
    })
}
