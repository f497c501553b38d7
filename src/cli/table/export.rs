use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::pick::{RowChoice, VersionChoice};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::cli::progress::Progress;
use crate::csv::{Dialect, WriteDialect};
use crate::job::TableId;
use crate::mapping::{self, ExportOptions, ProgressSink};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// e.g. in.c-main.orders
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
    #[arg(long, default_value = ",", value_parser = super::import::delimiter)]
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
    let bar = std::sync::Arc::new(Progress::bytes(printer, "exporting", Some(version.bytes)));
    let seen = std::sync::Arc::clone(&bar);
    let moved = std::sync::atomic::AtomicU64::new(0);
    let progress = ProgressSink::new(move |step| {
        seen.set(moved.fetch_add(step.bytes, std::sync::atomic::Ordering::Relaxed) + step.bytes);
    });
    let exported = match &path {
        Some(path) => {
            let file = File::create(path)
                .map_err(|error| Trouble::user(format!("cannot write {}: {error}", path.display())))?;
            mapping::export_table(version.clone(), options, &home.blobs, file, &progress).await
        }
        None => mapping::export_table(version.clone(), options, &home.blobs, io::stdout(), &progress).await,
    };
    drop(bar);
    match exported {
        Ok(copied) => {
            if let Some(path) = path {
                printer.note(&format!("exported {} rows to {}", copied.rows, path.display()));
            }
            Ok(())
        }
        // Whoever read our output has seen enough.
        Err(error) if error.is_broken_pipe() => Ok(()),
        Err(error) => Err(Trouble::platform(&error)),
    }
}
