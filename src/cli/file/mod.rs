//! `longshore file …`.

mod get;
mod ls;
mod put;
mod rm;

use clap::Subcommand;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::Printer;
use crate::catalog::StoredFile;
use crate::job::FileId;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List stored files, newest first
    Ls(ls::Arguments),
    /// Store a file
    Put(put::Arguments),
    /// Write a stored file to disk or stdout
    Get(get::Arguments),
    /// Forget a stored file
    Rm(rm::Arguments),
}

pub(super) async fn act(verb: Verb, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls(arguments) => ls::act(arguments, home, printer).await,
        Verb::Put(arguments) => put::act(arguments, home, printer).await,
        Verb::Get(arguments) => get::act(arguments, home, printer).await,
        Verb::Rm(arguments) => rm::act(arguments, home, printer).await,
    }?;
    Ok(ExitStatus::Success)
}

async fn stored(id: u64, home: &Home) -> Result<StoredFile, Trouble> {
    let file = home.catalog.file(FileId(id)).await?;
    file.ok_or_else(|| no_such_file(id))
}

fn no_such_file(id: u64) -> Trouble {
    Trouble::user(format!("file {id} does not exist")).hint("longshore file ls lists the files")
}
