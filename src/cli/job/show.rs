use super::named::JobName;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, inert_json};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its id in `longshore job ls`, or the key it was submitted with
    job: JobName,
}

/// The document is JSON in either format: it is what scripts and reply messages get.
pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let job = arguments.job.record(home).await?.id;
    let document = home.result_document(job).await?;
    let text = serde_json::to_string_pretty(&document).map_err(|error| Trouble::platform(&error))?;
    printer.data(format!("{}\n", inert_json(&text)).as_bytes())
}
