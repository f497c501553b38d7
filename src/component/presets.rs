//! Named sizes: what each preset means on this machine, and the ceilings over all of them.

use std::time::Duration;

use super::document::Item;
use super::limits::{LimitKind, Limits, SaidLimits};

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

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == text)
    }
}

/// What this machine grants: what each preset means here, and how much no job may exceed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presets {
    sizes: [Size; 5],
    ceilings: SaidLimits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Size {
    limits: Limits,
    /// What the settings say over our own defaults.
    said: SaidLimits,
}

impl Presets {
    pub(crate) fn of(&self, preset: Preset) -> Limits {
        self.size(preset).limits
    }

    /// Whether the settings, and not we, say this limit of a preset.
    pub(super) fn is_set(&self, preset: Preset, kind: LimitKind) -> bool {
        self.size(preset).said.get(kind).is_some()
    }

    /// The settings' words on a preset over what it was.
    pub(crate) fn set(&mut self, preset: Preset, said: SaidLimits) {
        let [xsmall, small, medium, large, xlarge] = &mut self.sizes;
        let size = match preset {
            Preset::Xsmall => xsmall,
            Preset::Small => small,
            Preset::Medium => medium,
            Preset::Large => large,
            Preset::Xlarge => xlarge,
        };
        for kind in LimitKind::ALL {
            if let Some((amount, _place)) = said.get(kind) {
                size.limits.set(kind, amount);
            }
        }
        size.said = said;
    }

    /// How much no job may exceed, as the settings' `ceilings` say it.
    pub(crate) fn set_ceilings(&mut self, ceilings: SaidLimits) {
        self.ceilings = ceilings;
    }

    pub(super) fn ceiling(&self, kind: LimitKind) -> Option<u64> {
        self.ceilings.get(kind).map(|(amount, _place)| amount)
    }

    fn size(&self, preset: Preset) -> &Size {
        let [xsmall, small, medium, large, xlarge] = &self.sizes;
        match preset {
            Preset::Xsmall => xsmall,
            Preset::Small => small,
            Preset::Medium => medium,
            Preset::Large => large,
            Preset::Xlarge => xlarge,
        }
    }
}

impl Default for Presets {
    fn default() -> Self {
        let size = |memory_mib: u64, cpus: i64, pids: u64, disk_gib: u64, tmp_mib: u64| Size {
            limits: Limits {
                memory_bytes: memory_mib << 20,
                nano_cpus: cpus * 1_000_000_000,
                pids,
                disk_bytes: disk_gib << 30,
                timeout: Duration::from_secs(3_600),
                tmp_bytes: tmp_mib << 20,
            },
            said: SaidLimits::default(),
        };
        Self {
            sizes: [
                size(256, 1, 128, 5, 128),
                size(1_024, 2, 256, 10, 512),
                size(2_048, 2, 512, 20, 1_024),
                size(8_192, 4, 1_024, 50, 2_048),
                size(16_384, 8, 2_048, 100, 4_096),
            ],
            ceilings: SaidLimits::default(),
        }
    }
}

/// The settings' `presets` and `ceilings`. Unknown keys and wrong amounts leave complaints.
pub(crate) fn read_presets(presets_item: Option<Item<'_>>, ceilings_item: Option<Item<'_>>) -> Presets {
    let mut presets = Presets::default();
    if let Some(mut fields) = presets_item.and_then(|item| item.fields()) {
        for preset in Preset::ALL {
            if let Some(mut fields) = fields.get(preset.as_str()).and_then(|item| item.fields()) {
                presets.set(preset, SaidLimits::read(&mut fields));
                fields.finish();
            }
        }
        fields.finish();
    }
    if let Some(mut fields) = ceilings_item.and_then(|item| item.fields()) {
        presets.set_ceilings(SaidLimits::read(&mut fields));
        fields.finish();
    }
    presets
}
