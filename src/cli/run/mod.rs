//! `longshore run`: intake and settle around the runner.

mod asked;
mod summary;
mod watch;

use std::convert::Infallible;
use std::path::PathBuf;

pub(super) use asked::TableFile;
pub(super) use summary::print as print_end;
pub(super) use watch::{leave, next_interrupt, show};

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::{Format, Printer};
use crate::job::{JobId, JobStatus, Phase, RunMode};
use crate::result::ResultDocument;
use crate::runner::{self, Halt, Settled};
use crate::worker::keep_lease;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A spec file, or an id from the project's `component-specs/`
    component: String,
    /// The configuration, YAML or JSON; its file name (without ending) is the configuration's id
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Load a CSV file into a table first, replacing it: in.c-main.orders=orders.csv
    #[arg(long = "table", value_name = "ID=FILE")]
    tables: Vec<asked::TableFile>,
    /// How far to go
    #[arg(long, value_enum, default_value_t = Mode::Run)]
    mode: Mode,
    /// Run this image tag instead of the spec's
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Wait at the beginning of a phase until interrupted
    #[arg(long, hide = true, value_parser = parse_phase)]
    hold_at: Option<Phase>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Mode {
    /// To the published outputs
    Run,
    /// Stage the inputs and stop
    Input,
    /// Run and check the outputs, archive the data folder before and after, publish nothing
    Debug,
}

impl From<Mode> for RunMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Run => Self::Run,
            Mode::Input => Self::Input,
            Mode::Debug => Self::Debug,
        }
    }
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let order = asked::order(&arguments, home).await?;
    for table in &arguments.tables {
        super::table::import_file(&table.table, &table.file, home, printer).await?;
    }
    let _turn = super::turn::wait(&order.request, home, printer).await?;
    let runner = home.runner(arguments.hold_at);
    if home.is_shared() {
        home.catalog.sign_on(&home.folder.worker, "command line").await?;
    }
    let attempt = super::turn::begin(&runner, &order, home, printer).await?;
    let halt = Halt::default();
    let (news, items) = runner::channel();
    let story = async {
        let ended = runner::run(&runner, &order, attempt, &news, &halt).await;
        // The watcher ends when nobody can tell anything any more.
        drop(news);
        ended
    };
    let watching = watch::watch(items, printer);
    let settled = tokio::select! {
        (ended, ()) = async { tokio::join!(story, watching) } => ended,
        never = watch::interrupts(&halt, printer) => match never {},
        never = lease(home, order.job, &halt) => match never {},
    };
    if home.is_shared() {
        home.catalog.sign_off(&home.folder.worker).await?;
    }
    match settled.map_err(|error| Trouble::platform(&error))? {
        Settled::Ended(document) => settle(&document, home, printer),
        Settled::PutBack(failure) => Err(put_back(order.job, &failure.message)),
        Settled::Lost => Err(put_back(order.job, "it was taken over by another process")),
    }
}

/// Where services share the catalog, a job that nobody's heart beats for would be taken away.
async fn lease(home: &Home, job: JobId, halt: &Halt) -> Infallible {
    if home.is_shared() {
        let (catalog, beat) = (&home.catalog, home.settings.worker.beat);
        match keep_lease(catalog, &home.folder.worker, beat, job, halt).await {}
    }
    std::future::pending().await
}

fn put_back(job: JobId, why: &str) -> Trouble {
    Trouble {
        status: ExitStatus::Platform,
        messages: vec![format!("job {job} did not end here: {why}")],
        hint: Some(format!("longshore job show {job}")),
    }
}

/// Prints the end and says how to exit.
fn settle(document: &ResultDocument, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match printer.format {
        Format::Json => printer.report(document, String::new)?,
        Format::Text => summary::print(document, home, printer),
    }
    let status = JobStatus::parse(&document.status).unwrap_or(JobStatus::Success);
    Ok(ExitStatus::of_end(status, document.failure_code()))
}

pub(super) fn parse_phase(text: &str) -> Result<Phase, String> {
    Phase::parse(text).ok_or_else(|| format!("{text:?} is no phase"))
}
