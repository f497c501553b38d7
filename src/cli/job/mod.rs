//! `longshore job …`.

mod log;
mod ls;
mod show;

use clap::Subcommand;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::Printer;
use crate::catalog::JobRecord;
use crate::job::JobId;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List jobs, newest first
    Ls(ls::Arguments),
    /// Show a job's result document
    Show(show::Arguments),
    /// Print the complete log of a job, as its component said it
    Log(log::Arguments),
}

pub(super) async fn act(verb: Verb, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls(arguments) => ls::act(arguments, home, printer).await,
        Verb::Show(arguments) => show::act(arguments, home, printer).await,
        Verb::Log(arguments) => log::act(arguments, home, printer).await,
    }?;
    Ok(ExitStatus::Success)
}

async fn record(id: JobId, home: &Home) -> Result<JobRecord, Trouble> {
    let record = home.catalog.job(id).await?;
    record.ok_or_else(|| {
        Trouble::user(format!("job {id} does not exist")).hint("longshore job ls lists the jobs")
    })
}
