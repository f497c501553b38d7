//! What the container's environment says (Keboola's common interface, `KBC_*`).

use super::Order;
use crate::configuration::Unit;
use crate::job::RunMode;

/// The variables of one container. Values reach it byte for byte; no shell is involved anywhere.
pub(super) fn environment(order: &Order, unit: &Unit, project_id: &str) -> Vec<(String, String)> {
    let request = &order.request;
    // A run without a configuration id gets one that is stable for the same configuration, as components expect one.
    let configuration = request
        .configuration
        .as_ref()
        .map_or_else(|| order.configuration.hash.to_string(), ToString::to_string);
    let mut variables = vec![
        ("KBC_DATADIR", "/data/".to_owned()),
        ("KBC_RUNID", order.job.to_string()),
        ("KBC_PROJECTID", project_id.to_owned()),
        ("KBC_STACKID", "longshore".to_owned()),
        ("KBC_CONFIGID", configuration),
        ("KBC_CONFIGVERSION", String::new()),
        ("KBC_COMPONENTID", request.component.to_string()),
        ("KBC_BRANCHID", "default".to_owned()),
        ("KBC_STAGING_FILE_PROVIDER", "local".to_owned()),
        ("KBC_PROJECT_FEATURE_GATES", "queuev2".to_owned()),
        ("KBC_COMPONENT_RUN_MODE", run_mode(request.mode).to_owned()),
    ];
    if let Some(row) = &unit.row {
        variables.push(("KBC_CONFIGROWID", row.to_string()));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The interface knows only two modes.
fn run_mode(mode: RunMode) -> &'static str {
    match mode {
        RunMode::Run | RunMode::Input => "run",
        RunMode::Debug => "debug",
    }
}
