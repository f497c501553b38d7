use super::pick::no_such_table;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::job::TableId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders
    table: TableId,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    if !home.catalog.drop_table(&arguments.table).await? {
        return Err(no_such_table(&arguments.table));
    }
    if printer.format == Format::Json {
        printer.report(&serde_json::json!({ "dropped": arguments.table.as_str() }), String::new)?;
    }
    printer.note(&format!("dropped {}; longshore gc frees its space", arguments.table));
    Ok(())
}
