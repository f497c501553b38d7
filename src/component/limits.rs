//! What one run may use: named presets, which settings may change, and a spec's own words over them.

use std::time::Duration;

use super::document::Item;
use super::quantity::{parse_bytes, parse_duration};

/// The engine refuses less.
const MEMORY_BYTES_MIN: u64 = 6 << 20;
const CPUS_MIN: f64 = 0.01;
const CPUS_MAX: f64 = 1024.0;

/// What one run of a component may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory and swap together: there is no swap beyond it.
    pub memory_bytes: u64,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    /// Processes and threads.
    pub pids: u64,
    /// What may be left in the data folder's `out/`.
    pub disk_bytes: u64,
    /// From start to exit.
    pub timeout: Duration,
    /// Size of `/tmp`.
    pub tmp_bytes: u64,
}

/// A named size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    Xsmall,
    Small,
    Medium,
    Large,
    Xlarge,
}

impl Preset {
    pub(crate) const ALL: [Self; 5] = [Self::Xsmall, Self::Small, Self::Medium, Self::Large, Self::Xlarge];

    /// What a spec gets that names none.
    pub(crate) const DEFAULT: Self = Self::Small;

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Xsmall => "xsmall",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Xlarge => "xlarge",
        }
    }

    pub(crate) fn words() -> [(&'static str, Self); 5] {
        Self::ALL.map(|preset| (preset.as_str(), preset))
    }
}

/// What each preset means on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presets {
    limits: [Limits; 5],
}

impl Presets {
    pub(crate) fn of(&self, preset: Preset) -> Limits {
        let [xsmall, small, medium, large, xlarge] = self.limits;
        match preset {
            Preset::Xsmall => xsmall,
            Preset::Small => small,
            Preset::Medium => medium,
            Preset::Large => large,
            Preset::Xlarge => xlarge,
        }
    }

    pub(crate) fn set(&mut self, preset: Preset, limits: Limits) {
        let [xsmall, small, medium, large, xlarge] = &mut self.limits;
        *match preset {
            Preset::Xsmall => xsmall,
            Preset::Small => small,
            Preset::Medium => medium,
            Preset::Large => large,
            Preset::Xlarge => xlarge,
        } = limits;
    }
}

impl Default for Presets {
    fn default() -> Self {
        let limits = |memory_mib: u64, cpus: i64, pids: u64, disk_gib: u64, tmp_mib: u64| Limits {
            memory_bytes: memory_mib << 20,
            nano_cpus: cpus * 1_000_000_000,
            pids,
            disk_bytes: disk_gib << 30,
            timeout: Duration::from_secs(3_600),
            tmp_bytes: tmp_mib << 20,
        };
        Self {
            limits: [
                limits(256, 1, 128, 5, 128),
                limits(1_024, 2, 256, 10, 512),
                limits(2_048, 2, 512, 20, 1_024),
                limits(8_192, 4, 1_024, 50, 2_048),
                limits(16_384, 8, 2_048, 100, 4_096),
            ],
        }
    }
}

/// A spec's `resources`: a preset, and what it says over it.
pub(super) fn read_resources(item: &Item<'_>, presets: &Presets) -> Limits {
    let Some(mut fields) = item.fields() else {
        return presets.of(Preset::DEFAULT);
    };
    let preset =
        fields.get("preset").and_then(|item| item.one_of(&Preset::words())).unwrap_or(Preset::DEFAULT);
    let limits = read_limits(&mut fields, presets.of(preset));
    fields.finish();
    limits
}

/// The keys of limits over `base`. A wrong one leaves the base's value and a complaint.
pub(crate) fn read_limits(fields: &mut super::document::Fields<'_>, base: Limits) -> Limits {
    let bytes = |item: Option<Item<'_>>, least: u64, base: u64| {
        let read = |item: Item<'_>| {
            let bytes = item.amount(parse_bytes)?;
            if bytes < least {
                item.complain(format!("at least {least} bytes are needed"));
                return None;
            }
            Some(bytes)
        };
        item.and_then(read).unwrap_or(base)
    };
    Limits {
        memory_bytes: bytes(fields.get("memory"), MEMORY_BYTES_MIN, base.memory_bytes),
        nano_cpus: fields.get("cpus").and_then(|item| read_nano_cpus(&item)).unwrap_or(base.nano_cpus),
        pids: fields.get("pids").and_then(|item| read_positive(&item)).unwrap_or(base.pids),
        disk_bytes: bytes(fields.get("disk"), 1, base.disk_bytes),
        timeout: fields.get("timeout").and_then(|item| read_timeout(&item)).unwrap_or(base.timeout),
        tmp_bytes: bytes(fields.get("tmp"), 1, base.tmp_bytes),
    }
}

pub(crate) fn read_positive(item: &Item<'_>) -> Option<u64> {
    let number = item.whole()?;
    if number == 0 {
        item.complain("must be at least 1");
        return None;
    }
    Some(number)
}

/// A duration longer than nothing.
pub(crate) fn read_timeout(item: &Item<'_>) -> Option<Duration> {
    let timeout = item.amount(parse_duration)?;
    if timeout.is_zero() {
        item.complain("must be longer than 0s");
        return None;
    }
    Some(timeout)
}

fn read_nano_cpus(item: &Item<'_>) -> Option<i64> {
    let cpus = item.decimal()?;
    if !(CPUS_MIN..=CPUS_MAX).contains(&cpus) {
        item.complain(format!("must be a number of processors from {CPUS_MIN} to {CPUS_MAX}"));
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 1024 billion, checked above")]
    let nano_cpus = (cpus * 1e9).round() as i64;
    Some(nano_cpus)
}
