use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, grid, printable};
use crate::cli::view::TableView;

pub(super) async fn act(home: &Home, printer: Printer) -> Result<(), Trouble> {
    let tables = home.catalog.tables().await?;
    let views: Vec<TableView> = tables.iter().map(TableView::of).collect();
    printer.report(&views, || {
        let row = |view: &TableView| {
            vec![
                view.id.clone(),
                view.version.to_string(),
                view.rows.to_string(),
                bytes_text(view.bytes),
                printable(&view.primary_key.join(",")),
                view.created.clone(),
            ]
        };
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(
            &["TABLE", "VERSION", "ROWS", "SIZE", "PRIMARY KEY", "CHANGED"],
            &[false, true, true, true],
            &rows,
        )
    })
}
