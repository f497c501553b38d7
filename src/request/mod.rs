//! CONTRACT: the job request as JSON, version 1: what a message carries and what the catalog keeps. Bodies to be written.
#![allow(dead_code, unused_variables, reason = "skeleton")]

use crate::component::Complaints;
use crate::job::{ComponentId, ConfigurationId, Priority, RunMode};

/// A parsed request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequestDocument {
    pub(crate) component: ComponentId,
    /// A stored configuration, or the name of the one given in `data`.
    pub(crate) configuration: Option<ConfigurationId>,
    /// The configuration itself; it wins over a stored one of the same id.
    pub(crate) data: Option<serde_json::Value>,
    pub(crate) mode: RunMode,
    /// Runs this image tag instead of the spec's.
    pub(crate) tag: Option<String>,
    /// `None`: the lane it came in by.
    pub(crate) priority: Option<Priority>,
}

/// Parses a request; `name` stands where a file's name would in complaints. All complaints at once: unknown keys,
/// wrong types, an unknown `version`, neither configuration nor data is fine (a component may need none).
pub(crate) fn parse(bytes: &[u8], name: &str) -> Result<RequestDocument, Complaints> {
    unimplemented!()
}

impl RequestDocument {
    /// The canonical JSON text.
    pub(crate) fn to_json(&self) -> String {
        unimplemented!()
    }
}
