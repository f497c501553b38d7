//! What this machine can take at once, and what it has taken. A job is admitted by its limits, not by what it happens
//! to use: two jobs that are admitted never kill each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::component::Limits;
use crate::job::{AttemptNumber, JobId};
use crate::runner::{Halt, HaltReason};

use super::WorkerOptions;

/// A share of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) slots: u64,
    pub(super) memory_bytes: u64,
    pub(super) nano_cpus: u64,
    pub(super) disk_bytes: u64,
}

impl Share {
    const NOTHING: Self = Self { slots: 0, memory_bytes: 0, nano_cpus: 0, disk_bytes: 0 };

    /// Everything a worker may use.
    pub(super) fn whole(options: &WorkerOptions) -> Self {
        Self {
            slots: u64::from(options.slots),
            memory_bytes: options.memory_bytes,
            nano_cpus: options.nano_cpus,
            disk_bytes: options.disk_bytes,
        }
    }

    /// What a job with these limits may use.
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            slots: 1,
            memory_bytes: limits.memory_bytes,
            nano_cpus: u64::try_from(limits.nano_cpus).unwrap_or(0),
            disk_bytes: limits.disk_bytes,
        }
    }

    /// A job that will not even run.
    pub(super) const SLOT: Self = Self { slots: 1, ..Self::NOTHING };

    fn plus(self, other: Self) -> Self {
        Self {
            slots: self.slots + other.slots,
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            nano_cpus: self.nano_cpus.saturating_add(other.nano_cpus),
            disk_bytes: self.disk_bytes.saturating_add(other.disk_bytes),
        }
    }

    fn fits(self, whole: Self) -> bool {
        self.slots <= whole.slots
            && self.memory_bytes <= whole.memory_bytes
            && self.nano_cpus <= whole.nano_cpus
            && self.disk_bytes <= whole.disk_bytes
    }
}

/// A job that waited so long for room is not overtaken by smaller ones any more.
const OVERTAKEN_MAX: Duration = Duration::from_secs(60);

/// What becomes of a job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// It would not fit with nothing else on this machine.
    TooLarge,
    /// Smaller ones may go first.
    NoRoom,
    /// Nothing goes before it any more.
    RoomKept,
}

/// The jobs under way.
#[derive(Debug)]
pub(crate) struct Berths {
    whole: Share,
    taken: Arc<Mutex<HashMap<JobId, Taken>>>,
}

#[derive(Debug)]
struct Taken {
    attempt: AttemptNumber,
    share: Share,
    halt: Halt,
}

/// One job's place; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Berth {
    job: JobId,
    pub(super) halt: Halt,
    taken: Arc<Mutex<HashMap<JobId, Taken>>>,
}

impl Berths {
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        Self { whole: Share::whole(options), taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<JobId, Taken>> {
        lock(&self.taken)
    }

    pub(super) fn count(&self) -> usize {
        self.taken().len()
    }

    pub(super) fn has_slot(&self) -> bool {
        (self.count() as u64) < self.whole.slots
    }

    fn used(&self) -> Share {
        self.taken().values().fold(Share::NOTHING, |sum, taken| sum.plus(taken.share))
    }

    /// Slots and memory.
    pub(super) fn in_use(&self) -> (u64, u64) {
        let used = self.used();
        (used.slots, used.memory_bytes)
    }

    /// Whether a job that waited so long is taken beside those there are.
    pub(super) fn admission(&self, share: Share, waited: Duration) -> Admission {
        if !share.fits(self.whole) {
            Admission::TooLarge
        } else if self.used().plus(share).fits(self.whole) {
            Admission::Admitted
        } else if waited < OVERTAKEN_MAX {
            Admission::NoRoom
        } else {
            Admission::RoomKept
        }
    }

    pub(super) fn take(&self, job: JobId, attempt: AttemptNumber, share: Share) -> Berth {
        let halt = Halt::default();
        self.taken().insert(job, Taken { attempt, share, halt: halt.clone() });
        Berth { job, halt, taken: Arc::clone(&self.taken) }
    }

    /// What is under way, to be compared with what the catalog says.
    pub(super) fn list(&self) -> Vec<(JobId, AttemptNumber, Halt)> {
        self.taken().iter().map(|(job, taken)| (*job, taken.attempt, taken.halt.clone())).collect()
    }

    pub(super) fn halt_all(&self, reason: HaltReason) {
        for taken in self.taken().values() {
            taken.halt.stop(reason);
        }
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        lock(&self.taken).remove(&self.job);
    }
}

/// A map is whole whoever panicked while holding it: its changes are single calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berths(slots: u64, memory_bytes: u64) -> Berths {
        let whole = Share { slots, memory_bytes, nano_cpus: 10, disk_bytes: 10 };
        Berths { whole, taken: Arc::default() }
    }

    fn share(memory_bytes: u64) -> Share {
        Share { slots: 1, memory_bytes, nano_cpus: 1, disk_bytes: 1 }
    }

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_job_is_admitted_while_everything_it_may_use_is_free() {
        let berths = berths(3, 100);
        let first = berths.take(JobId::fresh(), AttemptNumber(1), share(60));
        assert_eq!(berths.admission(share(40), NOW), Admission::Admitted);
        for more in [share(41), Share { nano_cpus: 10, ..share(1) }, Share { disk_bytes: 10, ..share(1) }] {
            assert_eq!(berths.admission(more, NOW), Admission::NoRoom, "{more:?}");
        }
        assert_eq!(berths.admission(share(101), NOW), Admission::TooLarge);
        drop(first);
        assert_eq!(berths.admission(share(100), NOW), Admission::Admitted);
    }

    #[test]
    fn a_job_that_waited_a_minute_for_room_is_not_overtaken_any_more() {
        let berths = berths(3, 100);
        let first = berths.take(JobId::fresh(), AttemptNumber(1), share(60));
        let just_before = OVERTAKEN_MAX.saturating_sub(Duration::from_millis(1));
        assert_eq!(berths.admission(share(50), just_before), Admission::NoRoom);
        assert_eq!(berths.admission(share(50), OVERTAKEN_MAX), Admission::RoomKept);
        // One that this machine can never run keeps nobody waiting.
        assert_eq!(berths.admission(share(101), OVERTAKEN_MAX), Admission::TooLarge);
        drop(first);
        assert_eq!(berths.admission(share(50), OVERTAKEN_MAX), Admission::Admitted);
    }

    #[test]
    fn there_are_never_more_jobs_than_slots() {
        let berths = berths(2, 100);
        let _first = berths.take(JobId::fresh(), AttemptNumber(1), Share::SLOT);
        assert!(berths.has_slot());
        let _second = berths.take(JobId::fresh(), AttemptNumber(1), Share::SLOT);
        assert!(!berths.has_slot());
        assert_eq!(berths.admission(Share::SLOT, NOW), Admission::NoRoom);
    }
}
