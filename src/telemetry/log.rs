//! Where log lines go and how they look: stderr, text or JSON, times in UTC.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::LogFormat;
use super::json_lines::JsonLines;

/// What is logged, and how.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// As `RUST_LOG` has it: `info`, `longshore=debug,warn`. What makes no sense in it is left out.
    pub(crate) filter: String,
    pub(crate) has_colour: bool,
}

/// The broker's client shows whole messages, secrets and all, as it warns of one that came back; what it has to say, the
/// queue says in our words. Who names it in the filter hears it.
const UNHEARD: &str = "lapin=off";

type Subscriber = Box<dyn tracing::Subscriber + Send + Sync>;

/// Logs to stderr from now on, for the whole process. A second call changes nothing.
pub(crate) fn start_log(log: &Log) {
    // It fails only where somebody else has begun to log already.
    subscriber(log, io::stderr).try_init().ok();
}

pub(super) fn subscriber<W>(log: &Log, writer: W) -> Subscriber
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{UNHEARD},{}", log.filter)))
        .with_writer(writer)
        .with_ansi(log.has_colour)
        // It would tell by `eprintln!` that stderr is closed, and so end the job in the middle.
        .log_internal_errors(false);
    match log.format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.fmt_fields(JsonFields::new()).event_format(JsonLines).finish()),
    }
}
