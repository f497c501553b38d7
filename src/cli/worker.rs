//! `longshore worker`: takes jobs until it is told to leave.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::exit::{ExitStatus, Trouble, chain};
use super::home::Home;
use super::print::Printer;
use super::run::{leave, next_interrupt, parse_phase};
use crate::api;
use crate::job::Phase;
use crate::queue::{Connection, Publisher};
use crate::telemetry::{self, LogFormat, Meters, Part};
use crate::worker::{self, Desk, Specs, StopSignals, Worker};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Wait at the beginning of a phase until the job is stopped
    #[arg(long, hide = true, value_parser = parse_phase)]
    hold_at: Option<Phase>,
}

/// Words beside the log, as lines of the log where that is read by machines: every line of stderr is one object then.
#[derive(Debug, Clone, Copy)]
struct Teller {
    printer: Printer,
    format: LogFormat,
}

impl Teller {
    fn note(self, line: &str) {
        match self.format {
            LogFormat::Text => self.printer.note(line),
            LogFormat::Json => tracing::info!("{line}"),
        }
    }

    fn warn(self, line: &str) {
        match self.format {
            LogFormat::Text => self.printer.note(line),
            LogFormat::Json => tracing::warn!("{line}"),
        }
    }
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let settings = &home.settings;
    let never_up = Connection::Connecting { since_failures: 0, last_error: String::new() };
    let parts: Vec<Part> =
        Part::ALL.into_iter().filter(|part| *part != Part::Broker || settings.queue.is_some()).collect();
    let meters = Meters::new(&parts, settings.worker.lease);
    let (traces, export) = telemetry::traces(settings.otlp.as_ref(), &home.folder.worker)
        .map_err(|error| Trouble::user(chain(&error)))?;
    let teller = Teller { printer, format: settings.log_format };
    for notice in settings.notices() {
        teller.warn(&notice);
    }
    let keyring = settings.secret_rules().keyring;
    // A key in disorder is told here, not by every job.
    if !keyring.keys().await?.can_open() && !keyring.makes_its_own() {
        teller.warn("no key is set, so nothing that is encrypted can be opened: set secrets.identity_file");
    }
    let listener = listen(settings.http).await?;
    let worker = Arc::new(Worker {
        runner: home.runner(arguments.hold_at),
        options: settings.worker.clone(),
        specs: Specs { folder: settings.component_specs_dir.clone(), presets: settings.presets.clone() },
        workers: home.workers.clone(),
        queue: settings.queue.clone(),
        publisher: settings.queue.clone().map(Publisher::new),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        project_id: home.project_id.clone(),
        broker: watch::Sender::new(never_up),
        meters: meters.clone(),
        traces,
        desk: Desk::new(&settings.worker),
    });
    let (signals, left) = (StopSignals::default(), CancellationToken::new());
    let serving = async {
        match listener {
            Some(listener) => api::serve(listener, meters, left.clone()).await,
            None => Ok(()),
        }
    };
    let exporting = async {
        if let Some(export) = export {
            export.run(&left).await;
        }
    };
    let working = async {
        let ended = tokio::select! {
            ended = worker::run(Arc::clone(&worker), &signals) => ended,
            never = hear(&signals, teller) => match never {},
        };
        left.cancel();
        ended
    };
    let (ended, served, ()) = tokio::join!(working, serving, exporting);
    if let Err(error) = served {
        tracing::warn!(%error, "nobody could ask for this worker's health");
    }
    ended.map_err(|error| Trouble::platform(&error))?;
    Ok(ExitStatus::Success)
}

/// The door for whoever asks how we are.
async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Trouble> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Trouble::user(format!("nobody can be answered at http.listen {address}: {error}"))
            .hint("another worker may answer there: give each its own address, or set http.listen to off")
    })?;
    Ok(Some(listener))
}

/// The first signal drains, the second hurries, the third leaves at once.
async fn hear(signals: &StopSignals, teller: Teller) -> Infallible {
    for number in 1_u32.. {
        if !next_interrupt().await {
            break;
        }
        match number {
            1 => {
                teller.note(
                    "taking no more jobs; leaving when those under way have ended (again to stop them)",
                );
                signals.drain.cancel();
            }
            2 => {
                teller.note("stopping the jobs under way; other workers will run them");
                signals.hurry.cancel();
            }
            _ => {
                teller.note("left at once; the next worker takes over");
                leave();
            }
        }
    }
    // Signals cannot be heard here.
    std::future::pending().await
}
