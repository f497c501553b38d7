use super::pick::no_such_table;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, grid};
use crate::cli::view::TableView;
use crate::job::TableId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders
    table: TableId,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let versions = home.catalog.history(&arguments.table).await?;
    if versions.is_empty() {
        return Err(no_such_table(&arguments.table));
    }
    // Newest first, as people read a history.
    let views: Vec<TableView> = versions.iter().rev().map(TableView::of).collect();
    printer.report(&views, || {
        let row = |view: &TableView| {
            vec![
                view.version.to_string(),
                view.created.clone(),
                view.load.to_owned(),
                view.rows.to_string(),
                bytes_text(view.bytes),
                view.job.clone().unwrap_or_else(|| "import".to_owned()),
            ]
        };
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(&["VERSION", "CREATED", "LOAD", "ROWS", "SIZE", "BY"], &[true, false, false, true, true], &rows)
    })
}
