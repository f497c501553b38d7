//! How a worker stands: whether its loops turn, and whether what it needs can be reached.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a worker needs and others provide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Broker,
    Catalog,
    Blobs,
    Engine,
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::Broker, Self::Catalog, Self::Blobs, Self::Engine];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Catalog => "catalog",
            Self::Blobs => "blobs",
            Self::Engine => "engine",
        }
    }
}

/// What goes round in a worker as long as it lives, whatever its parts do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loop {
    Heart,
    Claims,
}

impl Loop {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Heart => "heart",
            Self::Claims => "claims",
        }
    }
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartStanding {
    /// Settings do not name one.
    Unused,
    /// Nobody has asked yet.
    Unknown,
    Up,
    Down {
        since: Duration,
    },
}

/// How long ago a loop turned, and whether that is longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoopStanding {
    pub(crate) turning: Loop,
    pub(crate) age: Duration,
    pub(crate) is_stuck: bool,
}

/// Whether a worker takes jobs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) is_draining: bool,
    pub(crate) parts: [(Part, PartStanding); 4],
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        let is_fine = |standing| match standing {
            PartStanding::Unused | PartStanding::Up => true,
            PartStanding::Unknown | PartStanding::Down { .. } => false,
        };
        !self.is_draining && self.parts.iter().all(|(_part, standing)| is_fine(*standing))
    }
}

#[derive(Debug, Clone, Copy)]
enum Heard {
    Unused,
    Unknown,
    Up,
    Down(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Watched {
    turning: Loop,
    limit: Duration,
    turned: Instant,
}

#[derive(Debug)]
struct State {
    parts: [Heard; 4],
    loops: Vec<Watched>,
    is_draining: bool,
    beat: Option<Instant>,
}

/// Kept up to date by the worker, read by whoever asks. Its lock is held for a few assignments.
#[derive(Debug)]
pub(super) struct Standing {
    state: Mutex<State>,
}

impl Standing {
    pub(super) fn new(parts: &[Part]) -> Self {
        let heard = |part| if parts.contains(&part) { Heard::Unknown } else { Heard::Unused };
        let state = State { parts: Part::ALL.map(heard), loops: Vec::new(), is_draining: false, beat: None };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the part has come back: it was heard of before, and was down.
    pub(super) fn heard(&self, part: Part, is_up: bool, now: Instant) -> bool {
        let mut state = self.state();
        let Some(heard) = Part::ALL.iter().position(|known| *known == part).map(|at| &mut state.parts[at])
        else {
            return false;
        };
        let before = *heard;
        *heard = match (before, is_up) {
            (_, true) => Heard::Up,
            (Heard::Down(since), false) => Heard::Down(since),
            (Heard::Unused | Heard::Unknown | Heard::Up, false) => Heard::Down(now),
        };
        is_up && matches!(before, Heard::Down(_))
    }

    pub(super) fn watch(&self, turning: Loop, limit: Duration, now: Instant) {
        let mut state = self.state();
        state.loops.retain(|watched| watched.turning != turning);
        state.loops.push(Watched { turning, limit, turned: now });
    }

    pub(super) fn turn(&self, turning: Loop, now: Instant) {
        let mut state = self.state();
        if let Some(watched) = state.loops.iter_mut().find(|watched| watched.turning == turning) {
            watched.turned = now;
        }
    }

    pub(super) fn forget(&self, turning: Loop) {
        self.state().loops.retain(|watched| watched.turning != turning);
    }

    pub(super) fn drain(&self) {
        self.state().is_draining = true;
    }

    pub(super) fn beat(&self, now: Instant) {
        self.state().beat = Some(now);
    }

    /// Since the catalog last took a heartbeat of ours; `None` before the first.
    pub(super) fn beat_age(&self, now: Instant) -> Option<Duration> {
        self.state().beat.map(|beat| now.saturating_duration_since(beat))
    }

    pub(super) fn loops(&self, now: Instant) -> Vec<LoopStanding> {
        let standing = |watched: &Watched| {
            let age = now.saturating_duration_since(watched.turned);
            LoopStanding { turning: watched.turning, age, is_stuck: age > watched.limit }
        };
        self.state().loops.iter().map(standing).collect()
    }

    pub(super) fn readiness(&self, now: Instant) -> Readiness {
        let state = self.state();
        let mut at = state.parts.iter();
        let parts = Part::ALL.map(|part| {
            let standing = match at.next().copied().unwrap_or(Heard::Unknown) {
                Heard::Unused => PartStanding::Unused,
                Heard::Unknown => PartStanding::Unknown,
                Heard::Up => PartStanding::Up,
                Heard::Down(since) => PartStanding::Down { since: now.saturating_duration_since(since) },
            };
            (part, standing)
        });
        Readiness { is_draining: state.is_draining, parts }
    }
}
