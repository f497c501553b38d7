use serde::Serialize;

use crate::cli::exit::Trouble;
use crate::cli::print::{Printer, cut, grid};
use crate::queue::{DeadLetter, QueueOptions, dead_letters, requeue};
use crate::request::preview;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// At most this many, the oldest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
    /// Put the message with this id back into its lane, or all of them
    #[arg(long, value_name = "ID", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "not said, said without an id, said with one")]
    requeue: Option<Option<String>>,
}

#[derive(Debug, Serialize)]
struct LetterView {
    message_id: Option<String>,
    lane: &'static str,
    queue: Option<String>,
    time: Option<String>,
    reason: String,
    bytes: usize,
    /// The beginning, without secrets.
    body: String,
}

/// What fits into a line beside the rest.
const REASON_WIDTH_MAX: usize = 60;
const BODY_CHARACTERS_MAX: usize = 200;
const BODY_WIDTH_MAX: usize = 40;

impl LetterView {
    fn of(letter: &DeadLetter) -> Self {
        Self {
            message_id: letter.message_id.clone(),
            lane: letter.lane.as_str(),
            queue: letter.queue.clone(),
            time: letter.time.map(|time| time.to_string()),
            reason: letter.reason.clone(),
            bytes: letter.body.len(),
            body: preview(&letter.body, BODY_CHARACTERS_MAX),
        }
    }
}

pub(super) async fn act(
    arguments: Arguments,
    options: &QueueOptions,
    printer: Printer,
) -> Result<(), Trouble> {
    match arguments.requeue {
        Some(id) => put_back(id.as_deref(), options, printer).await,
        None => list(arguments.limit, options, printer).await,
    }
}

async fn list(limit: u32, options: &QueueOptions, printer: Printer) -> Result<(), Trouble> {
    let letters = dead_letters(options, limit).await?;
    let views: Vec<LetterView> = letters.iter().map(LetterView::of).collect();
    printer.report(&views, || {
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(&["TIME", "LANE", "MESSAGE ID", "REASON", "BODY"], &[], &rows)
    })
}

fn row(view: &LetterView) -> Vec<String> {
    vec![
        view.time.clone().unwrap_or_default(),
        view.lane.to_owned(),
        view.message_id.as_deref().map(|id| cut(id, BODY_WIDTH_MAX)).unwrap_or_default(),
        cut(&view.reason, REASON_WIDTH_MAX),
        cut(&view.body, BODY_WIDTH_MAX),
    ]
}

async fn put_back(id: Option<&str>, options: &QueueOptions, printer: Printer) -> Result<(), Trouble> {
    let requeued = requeue(options, id).await?;
    if let (Some(id), 0) = (id, requeued) {
        return Err(Trouble::user(format!("no dead letter has the message id {id}"))
            .hint("longshore queue dead lists them"));
    }
    let words = if requeued == 1 { "message is" } else { "messages are" };
    printer.report(&requeued, || format!("{requeued} {words} back in the queue\n"))
}
