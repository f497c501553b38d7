//! `longshore submit`: puts a job where the workers find it, and waits for its end where asked.

mod asked;
mod end;

use std::path::PathBuf;

use serde_json::json;

pub(super) use asked::{checked, spec};
pub(super) use end::settle;

use super::exit::{ExitStatus, Trouble};
use super::follow::{Shown, Sought, Watch};
use super::home::Home;
use super::print::{Format, Printer};
use super::run::Mode;
use crate::catalog::{Accepted, NewJob};
use crate::job::{ComponentId, ConfigurationId, JobId, Priority};
use crate::request::RequestDocument;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The component's id; its spec need not be on this machine
    component: ComponentId,
    /// A configuration to send along, YAML or JSON; its file name (without ending) is its id
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The id of a stored configuration; with --config the id of that one, instead of its file name
    #[arg(long, value_name = "ID")]
    configuration: Option<ConfigurationId>,
    /// Run this image tag instead of the spec's
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// How far to go
    #[arg(long, value_enum, default_value_t = Mode::Run)]
    mode: Mode,
    /// How urgent it is
    #[arg(long, value_enum, default_value_t = Lane::Normal)]
    priority: Lane,
    /// What makes a second submission known as the same job: it is not run again
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    id: Option<String>,
    /// Wait for the end of the job, and exit as it ended
    #[arg(long)]
    wait: bool,
    /// Print what the job says as it comes; waits too
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Lane {
    /// Before others that have not waited an hour longer
    High,
    Normal,
    /// After others, for an hour
    Low,
}

impl From<Lane> for Priority {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::High => Self::High,
            Lane::Normal => Self::Normal,
            Lane::Low => Self::Low,
        }
    }
}

/// What became of a submission.
#[derive(Debug)]
enum Submitted {
    /// The broker has it; a worker will accept it.
    Queued,
    /// The catalog has it.
    Accepted(JobId),
    /// It was there already: nothing was submitted.
    Known(JobId),
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let document = asked::document(&arguments, home, printer).await?;
    let key = arguments.id.unwrap_or_else(|| JobId::fresh().to_string());
    let submitted = submit(&document, &key, home).await?;
    let sought = match submitted {
        Submitted::Queued => Sought::of_key(&key),
        Submitted::Accepted(job) | Submitted::Known(job) => Sought::Job(job),
    };
    let waits = arguments.wait || arguments.follow;
    let words = match submitted {
        Submitted::Queued => format!("job {sought} is in the queue"),
        Submitted::Accepted(_) => format!("job {sought} waits for a worker"),
        Submitted::Known(_) => format!("job {sought} was submitted before with this id: nothing was done"),
    };
    printer.note(&words);
    if !waits {
        print(&sought, &key, &submitted, printer)?;
        return Ok(ExitStatus::Success);
    }
    let shown = if arguments.follow { Shown::Lines } else { Shown::Nothing };
    let watched = Watch { home, printer, shown, timeout: None }.until_end(&sought).await?;
    settle(watched, &sought, home, printer).await
}

/// With a queue the broker takes it, so that all orders of a configuration come by one way.
async fn submit(document: &RequestDocument, key: &str, home: &Home) -> Result<Submitted, Trouble> {
    if let Some(job) = home.catalog.job_of_key(key).await? {
        return Ok(Submitted::Known(job));
    }
    let lane = document.priority.unwrap_or_default();
    if let Some(publisher) = home.publisher() {
        let sent = publisher.submit(lane, key, document.to_json().into_bytes()).await;
        sent.map_err(|error| Trouble::platform(&error))?;
        return Ok(Submitted::Queued);
    }
    let job = NewJob {
        id: JobId::of_key(key),
        key: Some(key.to_owned()),
        component: document.component.clone(),
        configuration: document.configuration.clone(),
        request: document.to_json(),
        priority: lane,
        attempts_max: home.attempts_max(),
        reply: None,
    };
    let id = job.id;
    Ok(match home.catalog.accept_jobs(&[job]).await?.first() {
        Some(Accepted::Known(job)) => Submitted::Known(*job),
        Some(Accepted::New(job)) => Submitted::Accepted(*job),
        None => Submitted::Accepted(id),
    })
}

/// The name that every other verb takes.
fn print(sought: &Sought, key: &str, submitted: &Submitted, printer: Printer) -> Result<(), Trouble> {
    match printer.format {
        Format::Text => printer.data(format!("{sought}\n").as_bytes()),
        Format::Json => {
            let job = match sought {
                Sought::Job(job) => Some(job.to_string()),
                Sought::Key(_) => None,
            };
            let state = match submitted {
                Submitted::Queued => "queued",
                Submitted::Accepted(_) => "waiting",
                Submitted::Known(_) => "known",
            };
            printer.report(&json!({ "job": job, "key": key, "state": state }), String::new)
        }
    }
}

/// What fits a message's short string.
const KEY_BYTES_MAX: usize = 255;

fn parse_key(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > KEY_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("use 1 to {KEY_BYTES_MAX} bytes without control characters"));
    }
    Ok(text.to_owned())
}
