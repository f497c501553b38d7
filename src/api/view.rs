//! The JSON of the answers. Wire types only.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::telemetry::{LoopStanding, PartStanding, Readiness};

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    loops: BTreeMap<&'static str, LoopPart>,
}

#[derive(Debug, Serialize)]
struct LoopPart {
    state: &'static str,
    /// Since it came round.
    seconds: u64,
}

#[derive(Debug, Serialize)]
struct Ready {
    status: &'static str,
    parts: BTreeMap<&'static str, Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    state: &'static str,
    /// Since when it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
}

pub(super) fn health(is_alive: bool, loops: &[LoopStanding]) -> String {
    let part = |standing: &LoopStanding| {
        let state = if standing.is_stuck { "stuck" } else { "turning" };
        (standing.turning.as_str(), LoopPart { state, seconds: standing.age.as_secs() })
    };
    let status = if is_alive { "alive" } else { "stuck" };
    text(&Health { status, loops: loops.iter().map(part).collect() })
}

pub(super) fn readiness(readiness: &Readiness) -> String {
    let part = |standing| {
        let (state, since) = match standing {
            PartStanding::Unused => ("unused", None),
            PartStanding::Unknown => ("unknown", None),
            PartStanding::Up => ("up", None),
            PartStanding::Down { since } => ("down", Some(since)),
        };
        Part { state, seconds: since.map(|since: Duration| since.as_secs()) }
    };
    let status = match (readiness.is_draining, readiness.is_ready()) {
        (true, _) => "draining",
        (false, true) => "ready",
        (false, false) => "not_ready",
    };
    let parts = readiness.parts.iter().map(|(name, standing)| (name.as_str(), part(*standing)));
    text(&Ready { status, parts: parts.collect() })
}

fn text(document: &impl Serialize) -> String {
    // Texts and numbers under texts: nothing in these can fail.
    serde_json::to_string(document).unwrap_or_default()
}
