//! The counters of a worker. One value is shared by all who count; counting is a few atomic operations.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::counts::Counts;
use super::standing::{Loop, LoopStanding, Part, Readiness, Standing};
use crate::catalog::JobCounts;
use crate::job::{FailureCode, JobStatus, Phase};

/// Jobs take from fractions of a second to hours; the bounds are in seconds.
const PHASE_BOUNDS: [f64; 12] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryEnd {
    Accepted,
    /// It had come before.
    Known,
    /// It went to the dead letters.
    Refused,
}

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Bytes = Gauge<u64, AtomicU64>;

/// Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    all: Arc<All>,
}

#[derive(Debug)]
struct All {
    registry: Registry,
    standing: Arc<Standing>,
    counts: Arc<Counts>,
    jobs_ended: Family<Labels<3>, Counter>,
    put_back: Family<Labels<1>, Counter>,
    deliveries: Family<Labels<1>, Counter>,
    phases: Family<Labels<1>, Histogram>,
    bytes: Family<Labels<1>, Counter>,
    slots_used: Gauge,
    slots: Gauge,
    memory_admitted: Bytes,
    memory: Bytes,
    workers_lost: Counter,
    reconnects: Family<Labels<1>, Counter>,
}

impl Meters {
    /// `parts` are those that this worker's settings name; `lease` is told beside the age of the last heartbeat.
    pub(crate) fn new(parts: &[Part], lease: Duration) -> Self {
        let standing = Arc::new(Standing::new(parts));
        let counts = Arc::new(Counts::new(Arc::clone(&standing), lease));
        let mut all = All {
            registry: Registry::with_prefix("longshore"),
            standing,
            counts,
            jobs_ended: Family::default(),
            put_back: Family::default(),
            deliveries: Family::default(),
            phases: Family::new_with_constructor(|| Histogram::new(PHASE_BOUNDS)),
            bytes: Family::default(),
            slots_used: Gauge::default(),
            slots: Gauge::default(),
            memory_admitted: Gauge::default(),
            memory: Gauge::default(),
            workers_lost: Counter::default(),
            reconnects: Family::default(),
        };
        all.register();
        Self { all: Arc::new(all) }
    }

    pub(crate) fn job_ended(&self, status: JobStatus, code: Option<FailureCode>) {
        let (code, blame) = code.map_or(("", ""), |code| (code.as_str(), code.blame().as_str()));
        let labels = [("status", status.as_str()), ("code", code), ("blame", blame)];
        self.all.jobs_ended.get_or_create(&labels).inc();
    }

    /// An attempt ended without its job: it will be tried again.
    pub(crate) fn attempt_put_back(&self, code: FailureCode) {
        self.all.put_back.get_or_create(&[("code", code.as_str())]).inc();
    }

    pub(crate) fn delivery(&self, end: DeliveryEnd) {
        let end = match end {
            DeliveryEnd::Accepted => "accepted",
            DeliveryEnd::Known => "known",
            DeliveryEnd::Refused => "refused",
        };
        self.all.deliveries.get_or_create(&[("end", end)]).inc();
    }

    pub(crate) fn phase(&self, phase: Phase, took: Duration) {
        self.all.phases.get_or_create(&[("phase", phase.as_str())]).observe(took.as_secs_f64());
    }

    /// Bytes of a job's inputs and of what it published.
    pub(crate) fn bytes(&self, input: u64, output: u64) {
        self.all.bytes.get_or_create(&[("direction", "in")]).inc_by(input);
        self.all.bytes.get_or_create(&[("direction", "out")]).inc_by(output);
    }

    pub(crate) fn slots(&self, used: u32, total: u32) {
        self.all.slots_used.set(i64::from(used));
        self.all.slots.set(i64::from(total));
    }

    /// The sum of the memory limits of the jobs that run, and the worker's budget.
    pub(crate) fn admitted(&self, memory_bytes: u64, budget_bytes: u64) {
        self.all.memory_admitted.set(memory_bytes);
        self.all.memory.set(budget_bytes);
    }

    /// Another worker was found to be dead.
    pub(crate) fn worker_lost(&self) {
        self.all.workers_lost.inc();
    }

    /// What the catalog knows of all jobs, of all workers.
    pub(crate) fn jobs(&self, counts: JobCounts) {
        self.all.counts.set(counts);
    }

    /// The catalog has taken a heartbeat.
    pub(crate) fn beat(&self) {
        self.all.standing.beat(Instant::now());
    }

    /// A part was reached, or was not.
    pub(crate) fn connection(&self, part: Part, is_up: bool) {
        if self.all.standing.heard(part, is_up, Instant::now()) {
            self.all.reconnects.get_or_create(&[("part", part.as_str())]).inc();
        }
    }

    /// From now on a loop must turn at least once in `limit`, or the process counts as stuck.
    pub(crate) fn watch(&self, turning: Loop, limit: Duration) {
        self.all.standing.watch(turning, limit, Instant::now());
    }

    /// A loop has come round, whether what it did there succeeded or not.
    pub(crate) fn turn(&self, turning: Loop) {
        self.all.standing.turn(turning, Instant::now());
    }

    /// A loop has ended as it should.
    pub(crate) fn forget(&self, turning: Loop) {
        self.all.standing.forget(turning);
    }

    /// No more jobs are taken.
    pub(crate) fn drain(&self) {
        self.all.standing.drain();
    }

    pub(crate) fn readiness(&self) -> Readiness {
        self.all.standing.readiness(Instant::now())
    }

    pub(crate) fn loops(&self) -> Vec<LoopStanding> {
        self.all.standing.loops(Instant::now())
    }

    /// Everything in the text format of `OpenMetrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.all.registry) {
            // A string takes everything; a collector of ours has refused.
            tracing::error!(%error, "the metrics could not be written");
            text.clear();
            writeln!(text, "# EOF").ok();
        }
        text
    }
}

impl All {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This build of Longshore", version);
        registry.register("jobs_ended", "Jobs that ended at this worker", self.jobs_ended.clone());
        registry.register(
            "attempts_put_back",
            "Attempts that ended without their job, which is tried again",
            self.put_back.clone(),
        );
        registry.register("deliveries", "Messages taken from the broker", self.deliveries.clone());
        registry.register_with_unit(
            "phase_duration",
            "Time a job spent in a phase",
            Unit::Seconds,
            self.phases.clone(),
        );
        registry.register_with_unit(
            "tables",
            "Bytes of inputs staged and of outputs published",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register("slots_used", "Jobs that run at this worker", self.slots_used.clone());
        registry.register("slots", "Jobs that may run at this worker at once", self.slots.clone());
        registry.register_with_unit(
            "memory_admitted",
            "Sum of the memory limits of the jobs that run",
            Unit::Bytes,
            self.memory_admitted.clone(),
        );
        registry.register_with_unit(
            "memory_budget",
            "What that sum may come to",
            Unit::Bytes,
            self.memory.clone(),
        );
        registry.register("workers_lost", "Dead workers this one has found", self.workers_lost.clone());
        registry.register(
            "reconnects",
            "How often a part came back after it could not be reached",
            self.reconnects.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&self.counts)));
    }
}
