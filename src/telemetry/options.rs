//! What settings say about logs and traces.

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For a person.
    Text,
    /// A JSON object a line, for a machine.
    Json,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtlpOptions {
    /// The collector's base address; spans go to `/v1/traces` below it.
    pub(crate) endpoint: String,
}
