use super::pick::VersionChoice;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, grid, printable};
use crate::cli::view::VersionView;
use crate::job::TableId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The table, e.g. in.c-main.orders
    table: TableId,
    #[command(flatten)]
    version: VersionChoice,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let version = arguments.version.load(&arguments.table, home).await?;
    let view = VersionView::of(&version);
    printer.report(&view, || text(&view))
}

fn text(view: &VersionView) -> String {
    let key =
        if view.primary_key.is_empty() { "none".to_owned() } else { printable(&view.primary_key.join(", ")) };
    let by = view.job.clone().unwrap_or_else(|| "import by hand".to_owned());
    let text = format!(
        "table        {}\nversion      {}\ncreated      {}\nload         {}\nby           {by}\nrows         {}\nsize         {}\nprimary key  {key}\ncolumns      {}\n\n",
        view.id,
        view.version,
        view.created,
        view.load,
        view.rows,
        bytes_text(view.bytes),
        printable(&view.columns.join(", ")),
    );
    let row = |slice: &crate::cli::view::SliceView| {
        vec![
            slice.blob.clone(),
            slice.rows.to_string(),
            slice.deleted.to_string(),
            bytes_text(slice.bytes),
            slice.imported.clone(),
        ]
    };
    let rows: Vec<_> = view.slices.iter().map(row).collect();
    let slices = grid(&["SLICE", "ROWS", "DELETED", "SIZE", "IMPORTED"], &[false, true, true, true], &rows);
    text + &slices
}
