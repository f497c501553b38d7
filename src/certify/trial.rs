//! What is special about one run.

use std::time::Duration;

use crate::component::Component;
use crate::configuration::Configuration;
use crate::mapping::Alteration;

/// One run to be made of a component.
#[derive(Debug)]
pub(super) struct Trial {
    /// In words, for the report and whoever watches.
    pub(super) name: String,
    pub(super) component: Component,
    pub(super) configuration: Configuration,
    pub(super) alteration: Option<Alteration>,
    pub(super) environment: Vec<(String, String)>,
    /// Asked to end so long after its start.
    pub(super) stop_after: Option<Duration>,
}
