use std::time::Duration;

use super::named::JobName;
use crate::cli::exit::{ExitStatus, Trouble};
use crate::cli::follow::{Shown, Sought, Watch};
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::cli::submit::settle;
use crate::component::parse_duration;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its id in `longshore job ls`, or the key it was submitted with
    job: JobName,
    /// Wait no longer than this: 90s, 15m, 2h
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    timeout: Option<Duration>,
}

/// Exits as `longshore run` would have.
pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    // A message may still be on its way to a worker; without a queue there is nothing to wait for.
    let sought = match arguments.job.found(home).await? {
        Some(record) => Sought::Job(record.id),
        None if home.has_queue() => arguments.job.sought(),
        None => return Err(arguments.job.missing()),
    };
    let watch = Watch { home, printer, shown: Shown::Nothing, timeout: arguments.timeout };
    let watched = watch.until_end(&sought).await?;
    settle(watched, &sought, home, printer).await
}
