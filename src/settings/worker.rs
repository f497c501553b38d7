//! What a worker may use of its machine, and how it keeps time.

use std::time::Duration;

use super::machine::Machine;
use super::shared::read_u32;
use crate::component::document::{Fields, Item};
use crate::component::{Limits, parse_bytes, read_timeout};
use crate::worker::WorkerOptions;

/// Of the machine's memory; the rest is for the system, the engine and the worker itself.
const MEMORY_PERCENT: u64 = 80;
/// Of what the disk has free; the rest is for images and logs.
const DISK_PERCENT: u64 = 90;
/// Fewer beats in a lease, and one slow commit would look like a dead worker.
const BEATS_IN_LEASE_MIN: u32 = 3;
const CPUS_MAX: f64 = 4096.0;

/// The defaults. `small` is what a component gets that asks for nothing: every slot can run one at the same time as far
/// as processors go, because their limit is a ceiling and not a reservation; so is that of the disk, and a machine with a
/// small one still runs one job. Memory is a reservation, and never promised twice.
fn default_of(machine: &Machine, slots: u32, small: &Limits) -> WorkerOptions {
    let of_machine = u64::from(machine.processors) * 1_000_000_000;
    let of_slots = u64::from(slots) * u64::try_from(small.nano_cpus).unwrap_or(0);
    WorkerOptions {
        slots,
        memory_bytes: machine.memory_bytes / 100 * MEMORY_PERCENT,
        nano_cpus: of_machine.max(of_slots),
        disk_bytes: (machine.disk_free_bytes / 100 * DISK_PERCENT).max(small.disk_bytes),
        beat: Duration::from_secs(3),
        lease: Duration::from_secs(15),
        poll: Duration::from_secs(2),
        attempts_max: 3,
        retry_delay: Duration::from_secs(10),
        retry_delay_max: Duration::from_secs(600),
    }
}

pub(super) fn read_worker(item: Option<Item<'_>>, machine: &Machine, small: &Limits) -> WorkerOptions {
    let Some(mut fields) = item.and_then(|item| item.fields()) else {
        return default_of(machine, machine.processors, small);
    };
    let slots = fields.get("slots").and_then(|item| read_u32(&item, 1));
    let base = default_of(machine, slots.unwrap_or(machine.processors), small);
    let mut duration = |key, base| fields.get(key).and_then(|item| read_timeout(&item)).unwrap_or(base);
    let options = WorkerOptions {
        beat: duration("beat", base.beat),
        lease: duration("lease", base.lease),
        poll: duration("poll", base.poll),
        retry_delay: duration("retry_delay", base.retry_delay),
        retry_delay_max: duration("retry_delay_max", base.retry_delay_max),
        memory_bytes: read_bytes(&mut fields, "memory").unwrap_or(base.memory_bytes),
        disk_bytes: read_bytes(&mut fields, "disk").unwrap_or(base.disk_bytes),
        nano_cpus: fields.get("cpus").and_then(|item| read_nano_cpus(&item)).unwrap_or(base.nano_cpus),
        attempts_max: fields
            .get("attempts_max")
            .and_then(|item| read_u32(&item, 1))
            .unwrap_or(base.attempts_max),
        ..base
    };
    check_times(&mut fields, &options);
    fields.finish();
    options
}

/// Times that do not fit each other are told where they were set.
fn check_times(fields: &mut Fields<'_>, options: &WorkerOptions) {
    let mut told = |keys: [&'static str; 2], message: String| {
        let said = keys.into_iter().find_map(|key| fields.get(key));
        said.unwrap_or_else(|| fields.item.clone()).complain(message);
    };
    let lease_min = options.beat * BEATS_IN_LEASE_MIN;
    if options.lease < lease_min {
        let message =
            format!("the lease must be at least {BEATS_IN_LEASE_MIN} beats: {}s", lease_min.as_secs());
        told(["lease", "beat"], message);
    }
    if options.retry_delay_max < options.retry_delay {
        let message = format!("must be at least retry_delay: {}s", options.retry_delay.as_secs());
        told(["retry_delay_max", "retry_delay"], message);
    }
}

fn read_bytes(fields: &mut Fields<'_>, key: &'static str) -> Option<u64> {
    let item = fields.get(key)?;
    let bytes = item.amount(parse_bytes)?;
    if bytes == 0 {
        item.complain("must be more than nothing");
        return None;
    }
    Some(bytes)
}

fn read_nano_cpus(item: &Item<'_>) -> Option<u64> {
    let cpus = item.decimal()?;
    if !(cpus > 0.0 && cpus <= CPUS_MAX) {
        item.complain(format!("must be a number of processors up to {CPUS_MAX}"));
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and small, checked above"
    )]
    let nano_cpus = (cpus * 1e9).round() as u64;
    Some(nano_cpus)
}
