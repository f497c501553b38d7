//! What was said: events, redaction, lines, the complete log. Knows no container and no catalog:
//! bytes come in with a time and a stream, masked lines and events go out.

mod event;
mod lines;
mod log;
mod redact;
mod speech;

pub(crate) use event::{Event, Level, Source};
pub(crate) use log::LogReader;
pub(crate) use redact::{MASK, Redactor};
pub(crate) use speech::{LastWords, Said, Speech, SpeechLimits};
