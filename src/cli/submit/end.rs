//! The end of a job that somebody else ran.

use crate::catalog::JobRecord;
use crate::cli::exit::{ExitStatus, Trouble};
use crate::cli::follow::{Sought, Watched};
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::cli::run;
use crate::job::JobState;
use crate::result::ResultDocument;

/// Prints how a job ended and says how to exit; a job that goes on is left alone.
pub(in crate::cli) async fn settle(
    watched: Watched,
    sought: &Sought,
    home: &Home,
    printer: Printer,
) -> Result<ExitStatus, Trouble> {
    match watched {
        Watched::Ended(record) => ended(&record, home, printer).await,
        Watched::TimedOut => {
            printer.note(&format!("job {sought} has not ended yet; it goes on"));
            Ok(ExitStatus::TimedOut)
        }
        Watched::Interrupted => {
            printer.note(&format!(
                "no longer waiting; job {sought} goes on: longshore job wait {sought} waits again, longshore job cancel {sought} stops it"
            ));
            Ok(ExitStatus::Interrupted)
        }
    }
}

async fn ended(record: &JobRecord, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let document = home.result_document(record.id).await?;
    let status = match &record.state {
        JobState::Done { end, .. } => ExitStatus::of_end(end.status, end.code),
        JobState::Waiting | JobState::Processing { .. } => ExitStatus::Success,
    };
    match printer.format {
        Format::Json => printer.report(&document, String::new)?,
        // A job that never began has no document of its own.
        Format::Text => match serde_json::from_value::<ResultDocument>(document) {
            Ok(document) => run::print_end(&document, home, printer),
            Err(_incomplete) => say(record, printer),
        },
    }
    Ok(status)
}

fn say(record: &JobRecord, printer: Printer) {
    let message = match &record.state {
        JobState::Done { end, .. } => end.message.as_str(),
        JobState::Waiting | JobState::Processing { .. } => "",
    };
    printer.note(&format!("{} {}: {message}", record.state.status().as_str(), record.id));
}
