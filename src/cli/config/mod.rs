//! `longshore config …`: configurations stored in the catalog, so that a job may name one.

mod get;
mod history;
mod ls;
mod put;
mod view;

use clap::Subcommand;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::Printer;
use crate::job::{ComponentId, ConfigurationId};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Store a configuration, as a new version where it differs from the newest
    Put(put::Arguments),
    /// Print a stored configuration as it was put
    Get(get::Arguments),
    /// List the stored configurations
    Ls,
    /// List the versions of a configuration, newest first
    History(history::Arguments),
}

pub(super) async fn act(verb: Verb, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Put(arguments) => put::act(arguments, home, printer).await,
        Verb::Get(arguments) => get::act(arguments, home, printer).await,
        Verb::Ls => ls::act(home, printer).await,
        Verb::History(arguments) => history::act(arguments, home, printer).await,
    }?;
    Ok(ExitStatus::Success)
}

fn missing(component: &ComponentId, id: &ConfigurationId) -> Trouble {
    Trouble::user(format!("{component} has no stored configuration {id}"))
        .hint("longshore config ls lists them")
}
