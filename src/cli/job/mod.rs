//! `longshore job …`.

mod cancel;
mod log;
mod ls;
mod named;
mod retry;
mod show;
mod wait;

use clap::Subcommand;

pub(super) use log::print_event;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List jobs, newest first
    Ls(ls::Arguments),
    /// Show a job's result document
    Show(show::Arguments),
    /// Print the complete log of a job, as its component said it
    Log(log::Arguments),
    /// Wait for the end of a job, and exit as it ended
    Wait(wait::Arguments),
    /// Call off a job that waits, stop one that runs
    Cancel(cancel::Arguments),
    /// Submit a job that has ended once more, as a new job
    Retry(retry::Arguments),
}

pub(super) async fn act(verb: Verb, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls(arguments) => ls::act(arguments, home, printer).await,
        Verb::Show(arguments) => show::act(arguments, home, printer).await,
        Verb::Log(arguments) => return Box::pin(log::act(arguments, home, printer)).await,
        Verb::Cancel(arguments) => cancel::act(arguments, home, printer).await,
        Verb::Retry(arguments) => retry::act(arguments, home, printer).await,
        Verb::Wait(arguments) => return Box::pin(wait::act(arguments, home, printer)).await,
    }?;
    Ok(ExitStatus::Success)
}
