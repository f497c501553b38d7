use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, grid, printable};
use crate::cli::view::FileView;
use crate::job::FileQuery;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only files with this tag; several: files with all of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// At most this many
    #[arg(long, default_value_t = 1000, value_name = "N")]
    limit: u64,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let query = FileQuery::Tags { include: arguments.tags, exclude: Vec::new() };
    let files = home.catalog.files(&query, None, None, arguments.limit).await?;
    let views: Vec<FileView> = files.iter().map(FileView::of).collect();
    printer.report(&views, || {
        let row = |view: &FileView| {
            let name = printable(&view.name);
            vec![
                view.id.to_string(),
                name,
                bytes_text(view.bytes),
                printable(&view.tags.join(",")),
                view.created.clone(),
            ]
        };
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(&["ID", "NAME", "SIZE", "TAGS", "CREATED"], &[true, false, true], &rows)
    })
}
