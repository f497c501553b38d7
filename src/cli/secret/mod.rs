//! `longshore secret …`: keys, and values sealed to them. No value is ever taken from the command line, where every user
//! of the machine could read it.

mod encrypt;
mod keygen;
mod prompt;
mod replace;
mod rotate;

use clap::Subcommand;

use super::exit::{ExitStatus, Trouble};
use super::print::Printer;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a key: a secret half for the workers, a public one to encrypt to
    Keygen(keygen::Arguments),
    /// Encrypt a value for a component's configurations, or the plain secrets of a configuration file
    ///
    /// The value is read from FILE or standard input, or asked for at the terminal.
    Encrypt(encrypt::Arguments),
    /// Encrypt again, to the key that is the first of `secrets.identity_file` now
    Rotate(rotate::Arguments),
}

pub(super) async fn act(verb: Verb, settings: Settings, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Keygen(arguments) => keygen::act(&arguments, printer),
        Verb::Encrypt(arguments) => encrypt::act(&arguments, &settings, printer),
        Verb::Rotate(arguments) => rotate::act(arguments, settings, printer).await,
    }?;
    Ok(ExitStatus::Success)
}
