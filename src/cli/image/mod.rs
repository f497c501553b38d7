//! `longshore image …`.

mod asked;
mod bases;
mod build;
mod catalogue;
mod gc;
mod inspect;
mod lock;
mod ls;
mod outdated;
mod pull;
mod shelf;
mod unlock;
mod watermark;

use clap::Subcommand;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::Printer;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the images that components run, and those that Longshore pulled or built
    Ls(ls::Arguments),
    /// Show what is known of an image
    Inspect(inspect::Arguments),
    /// Get the image of a component, as its policy asks
    Pull(asked::ImageArguments),
    /// Build the image of a component, as its policy asks
    Build(build::Arguments),
    /// Let the policy release run what the registry has now
    Lock(asked::ImageArguments),
    /// Forget which image a tag means; the next run resolves it anew
    Unlock(asked::ImageArguments),
    /// List components whose base image has a successor, or whose tag means another image by now
    Outdated(outdated::Arguments),
    /// Remove images that no spec, lock or recent job needs
    Gc(gc::Arguments),
}

pub(super) async fn act(verb: Verb, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls(arguments) => ls::act(arguments, home, printer).await,
        Verb::Inspect(arguments) => inspect::act(arguments, home, printer).await,
        Verb::Pull(arguments) => pull::act(arguments, home, printer).await,
        Verb::Build(arguments) => build::act(arguments, home, printer).await,
        Verb::Lock(arguments) => lock::act(arguments, home, printer).await,
        Verb::Unlock(arguments) => unlock::act(arguments, home, printer).await,
        Verb::Outdated(arguments) => outdated::act(arguments, home, printer).await,
        Verb::Gc(arguments) => gc::act(arguments, home, printer).await,
    }?;
    Ok(ExitStatus::Success)
}
