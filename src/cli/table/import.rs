use std::path::{Path, PathBuf};

use crate::cli::exit::{ExitStatus, Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, rows_text};
use crate::cli::progress::Progress;
use crate::component::check_readable;
use crate::failure;
use crate::job::{Receipt, TableId, TableOptions};
use crate::mapping::{self, ImportError, PublishError};
use crate::result::OutputPart;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders; made when it is not there
    table: TableId,
    /// The CSV file, or a pipe such as /dev/stdin
    file: PathBuf,
    /// Add to the table (with a primary key: replace rows with the same key) instead of replacing it
    #[arg(long)]
    incremental: bool,
    /// Columns that identify a row
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    primary_key: Option<Vec<String>>,
    /// Allow changing the key of a table that has another one
    #[arg(long, requires = "primary_key")]
    change_primary_key: bool,
    /// Field delimiter, one character or `\t`
    #[arg(long, value_name = "BYTE", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// The file has no header line; name its columns with --columns
    #[arg(long, requires = "columns")]
    no_header: bool,
    /// Column names; without --no-header they take the place of the header line's
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let has_header = arguments.columns.is_some().then_some(!arguments.no_header);
    let options = TableOptions {
        incremental: Some(arguments.incremental),
        primary_key: arguments.primary_key,
        primary_key_change: Some(arguments.change_primary_key),
        columns: arguments.columns,
        has_header,
        delimiter: arguments.delimiter,
        ..TableOptions::default()
    };
    let receipt = load(&arguments.table, &arguments.file, options, home, printer).await?;
    if printer.format == Format::Json {
        printer.report(&OutputPart::of(&receipt), String::new)?;
    }
    Ok(())
}

/// Replaces a table by a CSV file with a header; what `longshore run --table` does.
pub(in crate::cli) async fn import_file(
    table: &TableId,
    file: &Path,
    home: &Home,
    printer: Printer,
) -> Result<(), Trouble> {
    load(table, file, TableOptions::default(), home, printer).await.map(drop)
}

async fn load(
    table: &TableId,
    file: &Path,
    options: TableOptions,
    home: &Home,
    printer: Printer,
) -> Result<Receipt, Trouble> {
    let metadata = check_readable(file).map_err(|error| Trouble::user(chain(&error)))?;
    // A pipe has no length.
    let length = Some(metadata.len()).filter(|_| metadata.is_file());
    let bar = Progress::bytes(printer, &format!("importing {table}"), length);
    let imported =
        mapping::import_table(file, table.clone(), options, &home.catalog, &home.blobs, &bar.sink()).await;
    drop(bar);
    let receipt = imported.map_err(|error| import_trouble(&error))?;
    for table in &receipt.tables {
        printer.note(&format!(
            "imported {} into {} (version {}, {})",
            rows_text(table.rows_loaded),
            table.table,
            table.version,
            rows_text(table.rows_total)
        ));
    }
    Ok(receipt)
}

/// A bad file is its owner's, a full disk is not.
pub(in crate::cli) fn import_trouble(error: &ImportError) -> Trouble {
    let is_users = match error {
        ImportError::Upload(error) | ImportError::Publish(PublishError::Load(error)) => {
            failure::is_users(error)
        }
        ImportError::Publish(
            PublishError::FenceLost { .. } | PublishError::Contended { .. } | PublishError::Catalog(_),
        ) => false,
    };
    let status = if is_users { ExitStatus::User } else { ExitStatus::Platform };
    Trouble { status, messages: vec![chain(error)], hint: None }
}

/// One byte: a printable character, `\t`, or the word `tab`.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" | "\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err(format!("{text:?} is no delimiter: give one ASCII character, or \\t")),
        },
    }
}
