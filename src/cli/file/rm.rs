use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::job::FileId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its number in `longshore file ls`
    id: u64,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    if !home.catalog.remove_file(FileId(arguments.id)).await? {
        return Err(super::no_such_file(arguments.id));
    }
    if printer.format == Format::Json {
        printer.report(&serde_json::json!({ "removed": arguments.id }), String::new)?;
    }
    printer.note(&format!("removed file {}; longshore gc frees its space", arguments.id));
    Ok(())
}
