//! How much of a structured record is shown, by its level (Keboola's `logging.verbosity`).

use super::Level;

/// What becomes of a record. The complete log has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// No event.
    Hidden,
    /// The message and the record's own further fields.
    Normal,
    /// The message and the whole record.
    Verbose,
    /// A neutral text in its place: what the component's developer must see is not for its users.
    Camouflage,
}

/// Verbosity by level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerbosityMap([Verbosity; 8]);

/// Numbers that Keboola gives the levels, in the order of [`Level::ALL`].
const NUMBERS: [&str; 8] = ["100", "200", "250", "300", "400", "500", "550", "600"];

impl VerbosityMap {
    pub(crate) fn of(&self, level: Level) -> Verbosity {
        self.0[level as usize]
    }

    /// Sets the verbosity of a level by its number, `100` (debug) to `600` (emergency). False: that is no level.
    pub(crate) fn set(&mut self, number: &str, verbosity: Verbosity) -> bool {
        let place = NUMBERS.iter().position(|known| *known == number);
        if let Some(place) = place {
            self.0[place] = verbosity;
        }
        place.is_some()
    }
}

impl Default for VerbosityMap {
    fn default() -> Self {
        let mut map = Self([Verbosity::Normal; 8]);
        map.0[Level::Debug as usize] = Verbosity::Hidden;
        for level in [Level::Critical, Level::Alert, Level::Emergency] {
            map.0[level as usize] = Verbosity::Camouflage;
        }
        map
    }
}
