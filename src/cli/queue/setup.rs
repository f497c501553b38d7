use crate::cli::exit::Trouble;
use crate::cli::print::Printer;
use crate::queue::{QueueOptions, setup};

/// One line for each exchange and queue.
pub(super) async fn act(options: &QueueOptions, printer: Printer) -> Result<(), Trouble> {
    let lines = setup(options).await?;
    printer.report(&lines, || lines.join("\n") + "\n")
}
