//! The limits of a job in words and numbers: in its result document, and where a component ran into one and went on.

use std::collections::BTreeMap;

use crate::component::{Allotment, LimitKind, processors};
use crate::configuration::Unit;
use crate::result::LimitPart;
use crate::runtime::Ended;

/// Each limit with its value and where it came from; of several rows that differ, the highest.
pub(super) fn parts(units: &[Unit]) -> BTreeMap<String, LimitPart> {
    let mut parts: BTreeMap<String, (u64, LimitPart)> = BTreeMap::new();
    for (kind, amount, origin) in units.iter().flat_map(|unit| unit.allotment.each()) {
        let is_higher = parts.get(key(kind)).is_none_or(|(known, _part)| amount > *known);
        if is_higher {
            let part = LimitPart { value: value(kind, amount), origin: origin.to_string() };
            parts.insert(key(kind).to_owned(), (amount, part));
        }
    }
    parts.into_iter().map(|(key, (_amount, part))| (key, part)).collect()
}

fn key(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Memory => "memory_bytes",
        LimitKind::Cpus => "cpus",
        LimitKind::Pids => "pids",
        LimitKind::Disk => "disk_bytes",
        LimitKind::Timeout => "timeout_seconds",
        LimitKind::Tmp => "tmp_bytes",
    }
}

fn value(kind: LimitKind, amount: u64) -> serde_json::Number {
    match kind {
        LimitKind::Cpus => serde_json::Number::from_f64(processors(amount)).unwrap_or_else(|| amount.into()),
        LimitKind::Memory | LimitKind::Pids | LimitKind::Disk | LimitKind::Timeout | LimitKind::Tmp => {
            amount.into()
        }
    }
}

/// What to say of processes that a container was refused; it may have gone on without them.
pub(super) fn refusals(ended: &Ended, allotment: &Allotment) -> Option<String> {
    let times = ended.fork_refusals;
    let limit = allotment.told(LimitKind::Pids);
    (times > 0).then(|| format!("the component was refused a further process {times} times: {limit}"))
}
