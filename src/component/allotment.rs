//! The limits of one run, each with where it came from: what a spec says of its resources, what a configuration asks
//! for over it, and what the settings hold against both.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::complaint::Complaint;
use super::document::{Item, Place};
use super::limits::{LimitKind, Limits, SaidLimits};
use super::presets::{Preset, Presets};

/// Where a limit came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Preset {
        preset: Preset,
        chosen_by: ChosenBy,
        /// The limit of the preset that the settings say, where they do and not we.
        setting: Option<LimitKind>,
    },
    /// A key of the spec's `resources`.
    Spec { key: &'static str, file: String, place: Place },
    /// A key of the configuration's `runtime`.
    Configuration { key: &'static str },
}

/// Who named a preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChosenBy {
    Nobody,
    Spec,
    Configuration,
}

/// Reads on after "from": `preset xsmall of the spec`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset { preset, chosen_by, setting } => {
                let name = preset.as_str();
                match chosen_by {
                    ChosenBy::Nobody => write!(f, "the default preset {name}")?,
                    ChosenBy::Spec => write!(f, "preset {name} of the spec")?,
                    ChosenBy::Configuration => {
                        write!(f, "preset {name} of the configuration's `runtime.backend.type`")?;
                    }
                }
                match setting {
                    Some(kind) => write!(f, " (`presets.{name}.{}` in the settings)", kind.key()),
                    None => Ok(()),
                }
            }
            Self::Spec { key, file, place } => {
                // The folder is the operator's business, the name is what the author of the spec knows it by.
                let name = Path::new(file).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                write!(f, "`resources.{key}` of the spec ({name}:{})", place.line)
            }
            Self::Configuration { key } => write!(f, "`{key}` of the configuration"),
        }
    }
}

/// The limits of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allotment {
    pub limits: Limits,
    origins: Vec<(LimitKind, Origin)>,
}

impl Allotment {
    /// Each limit with its amount and its origin.
    pub(crate) fn each(&self) -> impl Iterator<Item = (LimitKind, u64, &Origin)> {
        self.origins.iter().map(|(kind, origin)| (*kind, self.limits.amount(*kind), origin))
    }

    /// A limit in words: `memory limit 256 MiB, from preset xsmall of the spec`.
    pub(crate) fn told(&self, kind: LimitKind) -> String {
        let amount = kind.words(self.limits.amount(kind));
        let origin = self.each().find(|(known, ..)| *known == kind).map(|(.., origin)| origin);
        let from = origin.map(|origin| format!(", from {origin}")).unwrap_or_default();
        format!("{} {amount}{from}", kind.name())
    }
}

/// What a configuration asks for over the spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AskedResources {
    pub preset: Option<Preset>,
    pub timeout: Option<Duration>,
}

/// A spec's `resources`, and what the machine makes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resources {
    presets: Presets,
    preset: Option<Preset>,
    said: SaidLimits,
    /// The spec's.
    file: String,
}

impl Resources {
    /// Reads a spec's `resources`: a preset, and what it says over it.
    pub(super) fn read(item: Option<&Item<'_>>, file: &str, presets: &Presets) -> Self {
        let mut resources = Self {
            presets: presets.clone(),
            preset: None,
            said: SaidLimits::default(),
            file: file.to_owned(),
        };
        if let Some(mut fields) = item.and_then(Item::fields) {
            resources.preset = fields.get("preset").and_then(|item| item.one_of(&Preset::words()));
            resources.said = SaidLimits::read(&mut fields);
            fields.finish();
        }
        resources
    }

    /// The limits of a run for which a configuration asks this. A preset that it names takes the place of the spec's; a
    /// limit that the spec says itself stays.
    pub(crate) fn allot(&self, asked: AskedResources) -> Allotment {
        let (preset, chosen_by) = match (asked.preset, self.preset) {
            (Some(preset), _) => (preset, ChosenBy::Configuration),
            (None, Some(preset)) => (preset, ChosenBy::Spec),
            (None, None) => (Preset::DEFAULT, ChosenBy::Nobody),
        };
        let mut limits = self.presets.of(preset);
        let origins = LimitKind::ALL.map(|kind| {
            let setting = self.presets.is_set(preset, kind).then_some(kind);
            let mut origin = Origin::Preset { preset, chosen_by, setting };
            if let Some((amount, place)) = self.said.get(kind) {
                limits.set(kind, amount);
                origin = Origin::Spec { key: kind.key(), file: self.file.clone(), place };
            }
            if let (LimitKind::Timeout, Some(timeout)) = (kind, asked.timeout) {
                limits.timeout = timeout;
                origin = Origin::Configuration { key: "runtime.process_timeout" };
            }
            (kind, origin)
        });
        Allotment { limits, origins: origins.into() }
    }

    /// What of an allotment is over a ceiling of the settings. Complaints about the spec name its line; those about the
    /// configuration have its `file` and the path of the key.
    pub(crate) fn over_ceilings(&self, allotment: &Allotment, file: &str, prefix: &str) -> Vec<Complaint> {
        let over = |(kind, amount, origin): (LimitKind, u64, &Origin)| {
            let ceiling = self.presets.ceiling(kind).filter(|ceiling| amount > *ceiling)?;
            let message = format!(
                "{} {}, from {origin}, is over the ceiling of {}, from `ceilings.{}` in the settings",
                kind.name(),
                kind.words(amount),
                kind.words(ceiling),
                kind.key(),
            );
            Some(self.complaint(kind, origin, message, (file, prefix)))
        };
        allotment.each().filter_map(over).collect()
    }

    fn complaint(
        &self,
        kind: LimitKind,
        origin: &Origin,
        message: String,
        (file, prefix): (&str, &str),
    ) -> Complaint {
        let key = kind.key();
        let (file, place, path) = match origin {
            Origin::Spec { place, .. } => (self.file.clone(), Some(*place), format!("resources.{key}")),
            Origin::Preset { chosen_by: ChosenBy::Spec | ChosenBy::Nobody, .. } => {
                (self.file.clone(), None, "resources".to_owned())
            }
            Origin::Preset { chosen_by: ChosenBy::Configuration, .. } => {
                (file.to_owned(), None, format!("{prefix}runtime.backend.type"))
            }
            Origin::Configuration { key } => (file.to_owned(), None, format!("{prefix}{key}")),
        };
        let hint = match origin {
            Origin::Configuration { .. } => "ask for less, or have the ceiling raised".to_owned(),
            Origin::Preset { chosen_by: ChosenBy::Configuration, .. } => {
                "ask for a smaller size, or have the ceiling raised".to_owned()
            }
            Origin::Preset { .. } | Origin::Spec { .. } => {
                format!("lower `resources.{key}` in the spec, or have the ceiling raised")
            }
        };
        let place = place.filter(|place| *place != Place::default());
        Complaint {
            file,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            path,
            message,
            hint: Some(hint),
        }
    }
}
