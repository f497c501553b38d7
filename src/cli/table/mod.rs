//! `longshore table …`.

mod diff;
mod drop;
mod export;
mod head;
mod history;
mod import;
mod ls;
mod pick;
mod show;

use clap::Subcommand;

pub(super) use import::{import_file, import_trouble};

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the tables
    Ls,
    /// Show a table: columns, key, slices
    Show(show::Arguments),
    /// Print the first rows
    Head(head::Arguments),
    /// List a table's versions
    History(history::Arguments),
    /// Compare two versions of a table
    Diff(diff::Arguments),
    /// Load a CSV file into a table
    Import(import::Arguments),
    /// Write a table as CSV to a file or stdout
    Export(export::Arguments),
    /// Forget a table with all its versions
    Drop(drop::Arguments),
}

pub(super) async fn act(verb: Verb, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls => ls::act(home, printer).await,
        Verb::Show(arguments) => show::act(arguments, home, printer).await,
        Verb::Head(arguments) => head::act(arguments, home, printer).await,
        Verb::History(arguments) => history::act(arguments, home, printer).await,
        Verb::Diff(arguments) => diff::act(arguments, home, printer).await,
        Verb::Import(arguments) => import::act(arguments, home, printer).await,
        Verb::Export(arguments) => export::act(arguments, home, printer).await,
        Verb::Drop(arguments) => drop::act(arguments, home, printer).await,
    }?;
    Ok(ExitStatus::Success)
}
