//! What a worker tells its operators about itself: log lines, counters, how its parts are, traces.
//! Never what a component said, never a secret. Cheap enough to be called from anywhere; nothing here waits.

mod counts;
mod json_lines;
mod log;
mod meters;
mod options;
mod standing;
#[cfg(test)]
mod tests;
mod trace;
mod trace_export;

pub(crate) use log::{Log, start_log};
pub(crate) use meters::{DeliveryEnd, Meters};
pub(crate) use options::{LogFormat, OtlpOptions};
pub(crate) use standing::{Loop, LoopStanding, Part, PartStanding, Readiness};
pub(crate) use trace::Traces;
pub(crate) use trace_export::traces;
