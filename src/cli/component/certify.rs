//! `longshore component certify`: what it is certified with, progress, the report.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{configuration_id, load_trouble};
use crate::certify::{self, CertifyError, CheckId, Means, Report, Subject, Verdict};
use crate::cli::exit::{ExitStatus, Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::{Printer, printable};
use crate::cli::run::{TableFile, leave, next_interrupt};
use crate::cli::table::import_trouble;
use crate::component::{self, Component, LoadError, parse_duration, read_text};
use crate::job::ConfigurationId;
use crate::settings::Settings;
use crate::sweep::Trade;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A spec file, or an id from `component-specs/`
    spec: String,
    /// A configuration that the component succeeds on; default: the sample in `certify/` beside the spec
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A table that the configuration maps, from a CSV file: in.c-main.orders=orders.csv
    #[arg(long = "table", value_name = "ID=FILE")]
    tables: Vec<TableFile>,
    /// Write the report as JSON to a file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Do only these checks
    #[arg(long, value_name = "CHECK,…", value_delimiter = ',', value_parser = parse_check)]
    only: Vec<CheckId>,
    /// No run may take longer, whatever the spec allows
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_limit)]
    timeout: Duration,
}

pub(super) async fn act(
    arguments: Arguments,
    settings: Settings,
    printer: Printer,
) -> Result<ExitStatus, Trouble> {
    let checks = if arguments.only.is_empty() { CheckId::ALL.to_vec() } else { arguments.only.clone() };
    let loaded = component::load(&arguments.spec, &settings.component_specs_dir, &settings.presets);
    let component = match loaded {
        Ok(component) => component,
        Err(LoadError::Invalid(complaints)) => {
            let report = certify::invalid_spec(&arguments.spec, &complaints, &checks);
            return tell(&report, &arguments, printer);
        }
        Err(error @ (LoadError::NotFound { .. } | LoadError::Unreadable(_))) => {
            return Err(load_trouble(&error));
        }
    };
    let subject = subject(&arguments, component)?;
    check_report_place(arguments.json.as_deref())?;
    let home = Box::pin(Home::open(settings, Trade::Command, printer)).await?;
    let certified = Box::pin(run(&subject, &checks, &home, printer)).await;
    home.close().await;
    match certified {
        Ok(report) => tell(&report, &arguments, printer),
        Err(CertifyError::Interrupted) => {
            printer.note("interrupted; nothing was published and nothing is left behind");
            Ok(ExitStatus::Interrupted)
        }
        Err(error) => Err(trouble(&error)),
    }
}

async fn run(
    subject: &Subject,
    checks: &[CheckId],
    home: &Home,
    printer: Printer,
) -> Result<Report, CertifyError> {
    let (runner, stop) = (home.runner(None), CancellationToken::new());
    let tell = |run: &str| printer.note_marked(&printer.paint("36", "    ·"), &format!("running {run}"));
    let means = Means { runner: &runner, checks, tell: &tell, stop: &stop };
    tokio::select! {
        certified = Box::pin(certify::certify(subject, means)) => certified,
        never = interrupts(&stop, printer) => match never {},
    }
}

/// The first interrupt stops the run and cleans up, the second leaves at once: the next command cleans up.
async fn interrupts(stop: &CancellationToken, printer: Printer) -> Infallible {
    for asked in 0_u32.. {
        if !next_interrupt().await {
            break;
        }
        if asked == 0 {
            printer.note("stopping (interrupt again to leave at once)");
            stop.cancel();
        } else {
            printer.note("left at once; the next longshore command cleans up");
            leave();
        }
    }
    std::future::pending().await
}

/// Whether the report can be written where it is wanted: told before the runs, which take their time.
fn check_report_place(json: Option<&Path>) -> Result<(), Trouble> {
    let folder = json.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    match (json, folder) {
        (Some(json), Some(folder)) if !folder.is_dir() => Err(Trouble::user(format!(
            "cannot write {}: there is no folder {}",
            json.display(),
            folder.display()
        ))),
        (Some(_) | None, _) => Ok(()),
    }
}

/// What is certified, and with what: what the arguments say, else the sample beside the spec, else nothing.
fn subject(arguments: &Arguments, component: Component) -> Result<Subject, Trouble> {
    let sample = match &arguments.config {
        Some(_) => None,
        None => certify::find_sample(&component).map_err(|error| Trouble::platform(&error))?,
    }
    .unwrap_or_default();
    let config = arguments.config.as_deref().or(sample.configuration.as_deref());
    let (text, file, id) = config.map_or_else(no_configuration, configuration)?;
    let mut tables = sample.tables;
    for TableFile { table, file } in &arguments.tables {
        component::check_readable(file).map_err(|error| Trouble::user(chain(&error)))?;
        tables.retain(|(known, _)| known != table);
        tables.push((table.clone(), file.clone()));
    }
    Ok(Subject { component, text, file, id, tables, timeout: arguments.timeout })
}

fn configuration(path: &Path) -> Result<(String, String, ConfigurationId), Trouble> {
    let text = read_text(path).map_err(|error| Trouble::user(chain(&error)))?;
    Ok((text, path.display().to_string(), configuration_id(path)?))
}

fn no_configuration() -> Result<(String, String, ConfigurationId), Trouble> {
    let id = ConfigurationId::parse("certification").map_err(|error| Trouble::platform(&error))?;
    Ok(("{}".to_owned(), "(no configuration)".to_owned(), id))
}

/// Writes and prints the report, and says how to exit.
fn tell(report: &Report, arguments: &Arguments, printer: Printer) -> Result<ExitStatus, Trouble> {
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(report).map_err(|error| Trouble::platform(&error))?;
        std::fs::write(path, json + "\n")
            .map_err(|error| Trouble::user(format!("cannot write {}: {error}", path.display())))?;
    }
    printer.report(report, || text(report))?;
    Ok(match report.verdict {
        Verdict::Passed => ExitStatus::Success,
        Verdict::Failed => ExitStatus::Component,
    })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let kind = if check.status == "failed" && check.level == "advice" { "advice" } else { check.status };
        text += &format!("{kind:8} {:14} {}\n", check.id, check.title);
        let mut more = |words: &str| text += &format!("{:24}{}\n", "", printable(words));
        if let Some(reason) = &check.reason {
            more(reason);
        }
        for seen in check.seen.iter().filter(|_| check.status == "failed") {
            more(&format!("- {seen}"));
        }
        if let Some(remedy) = check.remedy {
            more(&format!("hint: {remedy}"));
        }
    }
    let count = |status: &str| report.checks.iter().filter(|check| check.status == status).count();
    let (passed, failed, skipped) = (count("passed"), count("failed"), count("skipped"));
    let verdict = match report.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
    };
    let name = report.component.id.as_ref().unwrap_or(&report.component.spec);
    text + &format!("{name} {verdict}: {passed} passed, {failed} failed, {skipped} skipped\n")
}

fn trouble(error: &CertifyError) -> Trouble {
    match error {
        CertifyError::Configuration { message } => Trouble {
            status: ExitStatus::User,
            messages: message.lines().map(str::to_owned).collect(),
            hint: Some(
                "nothing was certified: mend this, or name another configuration by --config and the tables that it maps by --table"
                    .to_owned(),
            ),
        },
        CertifyError::Import { source, .. } => import_trouble(source),
        CertifyError::Platform { .. }
        | CertifyError::Interrupted
        | CertifyError::Io { .. }
        | CertifyError::Busy { .. }
        | CertifyError::TaskLost(_)
        | CertifyError::Engine(_)
        | CertifyError::Catalog(_)
        | CertifyError::Blob(_)
        | CertifyError::Run(_)
        | CertifyError::Folder(_) => Trouble::platform(error),
    }
}

fn parse_check(text: &str) -> Result<CheckId, String> {
    let known = || CheckId::ALL.map(CheckId::as_str).join(", ");
    CheckId::parse(text).ok_or_else(|| format!("{text:?} is no check, expected one of {}", known()))
}

fn parse_limit(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(limit) if !limit.is_zero() => Ok(limit),
        Ok(_) => Err("must be longer than 0s".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
