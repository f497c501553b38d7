//! What was said: events, redaction, lines, the complete log. Knows no container and no catalog:
//! bytes come in with a time and a stream, masked lines and events go out.

mod event;
mod lines;
mod log;
mod redact;
mod speech;

pub use event::{Event, Level, Source};
pub use log::{LogEntry, LogError, LogReader};
pub use redact::Redactor;
pub use speech::{LastWords, Said, Speech, SpeechLimits};
