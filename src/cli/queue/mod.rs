//! `longshore queue …`: what is at the broker. Needs its address and nothing else of a project.

mod dead;
mod setup;
mod show;

use clap::Subcommand;

use super::exit::{ExitStatus, Trouble};
use super::print::Printer;
use crate::queue::QueueError;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make exchanges and queues at the broker, or check that they are as they should be
    Setup,
    /// Show how full the queues are
    Show,
    /// List messages that could not become jobs, with the reason, or put them back
    Dead(dead::Arguments),
}

pub(super) async fn act(verb: Verb, settings: &Settings, printer: Printer) -> Result<ExitStatus, Trouble> {
    let Some(options) = &settings.queue else {
        return Err(Trouble::user("the settings name no broker")
            .hint("set queue.url in longshore.yaml, or LONGSHORE_QUEUE_URL"));
    };
    match verb {
        Verb::Setup => setup::act(options, printer).await,
        Verb::Show => show::act(options, printer).await,
        Verb::Dead(arguments) => dead::act(arguments, options, printer).await,
    }?;
    Ok(ExitStatus::Success)
}

impl From<QueueError> for Trouble {
    fn from(error: QueueError) -> Self {
        Self::platform(&error)
    }
}
