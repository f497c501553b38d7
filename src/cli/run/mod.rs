//! `longshore run`: intake and settle around the runner.

mod asked;
mod summary;
mod watch;

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::exit::{ExitStatus, Trouble};
use super::home::Home;
use super::print::{Format, Printer};
use crate::job::{JobStatus, Phase, RunMode};
use crate::result::ResultDocument;
use crate::runner;

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
enum Mode {
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
    let cancel = CancellationToken::new();
    let (news, items) = runner::channel();
    let story = async {
        let ended = runner::run(&runner, &order, &news, &cancel).await;
        // The watcher ends when nobody can tell anything any more.
        drop(news);
        ended
    };
    let watching = watch::watch(items, printer);
    let document = tokio::select! {
        (ended, ()) = async { tokio::join!(story, watching) } => ended,
        never = watch::interrupts(&cancel, printer) => match never {},
    };
    let document = document.map_err(|error| match &error {
        runner::RunError::Busy { .. } => Trouble::user(error.to_string()).hint("longshore job ls shows it"),
        runner::RunError::Catalog(_) => Trouble::platform(&error),
    })?;
    settle(&document, home, printer)
}

/// Prints the end and says how to exit.
fn settle(document: &ResultDocument, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    match printer.format {
        Format::Json => printer.report(document, String::new)?,
        Format::Text => summary::print(document, home, printer),
    }
    let status = JobStatus::parse(&document.status);
    Ok(match (status, document.failure_code()) {
        (Some(JobStatus::Terminated | JobStatus::Cancelled), _) => ExitStatus::Interrupted,
        (_, Some(code)) => code.blame().into(),
        (_, None) => ExitStatus::Success,
    })
}

fn parse_phase(text: &str) -> Result<Phase, String> {
    Phase::parse(text).ok_or_else(|| format!("{text:?} is no phase"))
}
