//! What a worker tells its operators about itself: log lines, counters, how its parts are, traces.
//! Never what a component said, and never a secret.

mod options;

pub(crate) use options::{LogFormat, OtlpOptions};
