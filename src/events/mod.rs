//! What was said: events, redaction, lines, records, tracebacks, the complete log. Knows no container and no catalog:
//! bytes come in with a time and a stream, masked messages and events go out.

mod event;
mod gelf;
mod lines;
mod log;
mod record;
mod redact;
mod search;
mod severity;
mod speech;
mod trace_shape;
mod traceback;
mod verbosity;
mod voice;

pub(crate) use event::{Event, Level, Source};
pub(crate) use log::{LogEntry, LogReader};
pub(crate) use redact::{MASK, Redactor};
pub(crate) use speech::{LastWords, Said, Speech, SpeechLimits};
pub(crate) use verbosity::{Verbosity, VerbosityMap};
