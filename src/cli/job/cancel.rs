use serde_json::json;

use super::named::JobName;
use crate::catalog::CancelAnswer;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::job::JobStatus;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its id in `longshore job ls`, or the key it was submitted with
    job: JobName,
}

/// What the person asked for is what happened, also when it had happened before.
pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let job = arguments.job.record(home).await?.id;
    let answer = home.catalog.cancel_job(job).await?;
    let (word, sentence) = match answer {
        CancelAnswer::Cancelled => ("cancelled", format!("cancelled job {job}: it had not begun")),
        CancelAnswer::Asked => ("asked", format!("job {job} runs: its worker has been asked to stop it")),
        CancelAnswer::AlreadyDone => {
            let status = arguments.job.record(home).await?.state.status();
            if !matches!(status, JobStatus::Cancelled | JobStatus::Terminated) {
                return Err(Trouble::user(format!("job {job} has ended already: {}", status.as_str())));
            }
            ("already", format!("job {job} had been stopped already"))
        }
    };
    if printer.format == Format::Json {
        printer.report(&json!({ "job": job.to_string(), "answer": word }), String::new)?;
    }
    printer.note(&sentence);
    Ok(())
}
