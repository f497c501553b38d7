//! Shows a running job to a person, and hears when the person wants it to stop.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::print::Printer;
use crate::cli::progress::Progress;
use crate::events::{Event, Level, Source};
use crate::job::Phase;
use crate::runner::{Halt, HaltReason, NewsItem};

/// Prints news as they come, until nobody tells any more.
pub(super) async fn watch(mut items: mpsc::Receiver<NewsItem>, printer: Printer) {
    let mut progress: Option<Progress> = None;
    while let Some(item) = items.recv().await {
        match item {
            NewsItem::Phase(phase) => progress = begin(phase, printer),
            NewsItem::Moved { bytes, rows } => {
                if let Some(progress) = &progress {
                    progress.moved(bytes, rows);
                }
            }
            NewsItem::Pulling(step) => {
                if let Some(progress) = &progress {
                    progress.pulling(&step);
                }
            }
            NewsItem::Said(event) => match &progress {
                Some(progress) => progress.suspend(|| show(&event, printer)),
                None => show(&event, printer),
            },
        }
    }
}

/// A bar for the phases that may take long and say nothing themselves.
fn begin(phase: Phase, printer: Printer) -> Option<Progress> {
    let words = match phase {
        Phase::Image => "finding the image",
        Phase::Stage => "staging inputs",
        Phase::Collect => "checking outputs",
        Phase::Upload => "storing outputs",
        Phase::QueueWait
        | Phase::Resolve
        | Phase::Create
        | Phase::Start
        | Phase::Run
        | Phase::Drain
        | Phase::Commit
        | Phase::Cleanup => return None,
    };
    Some(Progress::bytes(printer, words, None))
}

/// A line of a job on stderr, marked by who said it.
pub(in crate::cli) fn show(event: &Event, printer: Printer) {
    let mark = match (event.source, event.level) {
        (Source::Stdout, _) => printer.paint("2", "out |"),
        (Source::Stderr, _) => printer.paint("33", "err |"),
        (Source::Gelf, Level::Debug | Level::Info | Level::Notice) => printer.paint("2", "log |"),
        (Source::Gelf, Level::Warning | Level::Error | Level::Critical | Level::Alert | Level::Emergency) => {
            printer.paint("33", "log |")
        }
        (Source::Runner, Level::Debug | Level::Info | Level::Notice) => printer.paint("36", "    ·"),
        (
            Source::Runner,
            Level::Warning | Level::Error | Level::Critical | Level::Alert | Level::Emergency,
        ) => printer.paint("33;1", "    !"),
    };
    printer.note_marked(&mark, &event.message);
}

/// The first interrupt asks the job to stop, the second leaves at once: the next command cleans up.
pub(super) async fn interrupts(halt: &Halt, printer: Printer) -> Infallible {
    let mut asked = 0_u32;
    loop {
        if !next_interrupt().await {
            // Signals cannot be heard here; the job runs to its own end.
            std::future::pending::<Infallible>().await;
        }
        asked += 1;
        if asked == 1 {
            printer.note("stopping politely; nothing will be published (interrupt again to leave at once)");
            halt.stop(HaltReason::Asked);
        } else {
            printer.note("left at once; the next longshore command cleans up");
            leave();
        }
    }
}

/// Waits until the person, or whoever started us, wants an end. False: signals cannot be heard here.
pub(in crate::cli) async fn next_interrupt() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    // The last of them says that the terminal was closed.
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return false;
    };
    let heard = tokio::select! {
        heard = interrupt.recv() => heard,
        heard = terminate.recv() => heard,
        heard = hangup.recv() => heard,
    };
    // One press of a key may reach us twice, through the terminal and through a parent.
    tokio::time::sleep(Duration::from_millis(50)).await;
    heard.is_some()
}

#[expect(clippy::exit, reason = "the person asked twice; every lock we hold dies with the process")]
pub(in crate::cli) fn leave() -> ! {
    std::process::exit(i32::from(crate::cli::exit::ExitStatus::Interrupted.code()))
}
