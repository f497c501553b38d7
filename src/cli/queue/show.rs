use serde::Serialize;

use crate::cli::exit::Trouble;
use crate::cli::print::{Printer, grid};
use crate::queue::{QueueOptions, depths};

#[derive(Debug, Serialize)]
struct DepthView {
    queue: String,
    ready: u32,
    consumers: u32,
}

pub(super) async fn act(options: &QueueOptions, printer: Printer) -> Result<(), Trouble> {
    let depths = depths(options).await?;
    let views: Vec<DepthView> = depths
        .into_iter()
        .map(|depth| DepthView { queue: depth.queue, ready: depth.ready, consumers: depth.consumers })
        .collect();
    printer.report(&views, || {
        let row =
            |view: &DepthView| vec![view.queue.clone(), view.ready.to_string(), view.consumers.to_string()];
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(&["QUEUE", "READY", "CONSUMERS"], &[false, true, true], &rows)
    })
}
