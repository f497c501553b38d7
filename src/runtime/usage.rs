//! What the container used: the kernel's own counters where we may see them, the engine's samples elsewhere.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::debug;

use super::cgroup::{CgroupParent, CgroupSample, CgroupUsage};
use crate::engine::{CgroupDriver, Engine, StatsSample};

/// Between two looks at what no counter keeps.
const SAMPLE_PAUSE: Duration = Duration::from_millis(100);

/// Watches one running container. Dropping it stops the watch.
#[derive(Debug)]
pub(super) struct UsageWatch {
    parent: Option<CgroupParent>,
    stats: watch::Receiver<StatsSample>,
    samples: watch::Receiver<CgroupSample>,
    _tasks: JoinSet<()>,
}

impl UsageWatch {
    /// Begins after the start. Asks the engine only for what the kernel does not tell for sure.
    pub(super) async fn begin(engine: &Engine, id: &str, parent: Option<CgroupParent>) -> Self {
        let seen = match &parent {
            Some(parent) => parent.usage().await.unwrap_or_default(),
            None => CgroupUsage::default(),
        };
        let (highest_stats, stats) = watch::channel(StatsSample::default());
        let (highest_sample, samples) = watch::channel(CgroupSample::default());
        let mut tasks = JoinSet::new();
        let counts_nothing =
            engine.facts().await.is_ok_and(|facts| facts.cgroup_driver == CgroupDriver::None);
        // Such an engine gives the figures of the whole machine.
        if !counts_nothing && (seen.memory_peak_bytes.is_none() || seen.cpu.is_none()) {
            tasks.spawn(follow_stats(engine.clone(), id.to_owned(), highest_stats));
        }
        if let Some(parent) = parent.clone() {
            tasks.spawn(take_samples(parent, id.to_owned(), highest_sample));
        }
        Self { parent, stats, samples, _tasks: tasks }
    }

    /// The sum, after the container has ended and before it is removed.
    pub(super) async fn read(&self) -> CgroupUsage {
        let exact = match &self.parent {
            Some(parent) => parent.usage().await.unwrap_or_default(),
            None => CgroupUsage::default(),
        };
        let sampled = *self.stats.borrow();
        CgroupUsage {
            memory_peak_bytes: exact.memory_peak_bytes.or(sampled.memory_bytes),
            oom_kills: exact.oom_kills,
            cpu: exact.cpu.or(sampled.cpu).filter(|cpu| *cpu > Duration::ZERO),
        }
    }

    /// The highest of all samples.
    pub(super) fn sampled(&self) -> CgroupSample {
        *self.samples.borrow()
    }
}

async fn follow_stats(engine: Engine, id: String, highest: watch::Sender<StatsSample>) {
    let mut stats = engine.stats(&id);
    while let Some(sample) = stats.next().await {
        highest.send_modify(|highest| {
            highest.memory_bytes = highest.memory_bytes.max(sample.memory_bytes);
            highest.cpu = highest.cpu.max(sample.cpu);
        });
    }
}

async fn take_samples(parent: CgroupParent, id: String, highest: watch::Sender<CgroupSample>) {
    let (killing, container) = (parent.clone(), id.clone());
    let grouped = tokio::task::spawn_blocking(move || killing.kill_as_one(&container)).await;
    if let Ok(Err(error)) = grouped {
        // An old kernel, or a container that has ended already: nothing depends on it.
        debug!(container.id = id, %error, "out-of-memory kills are not grouped");
    }
    loop {
        let (parent, container) = (parent.clone(), id.clone());
        let Ok(sample) = tokio::task::spawn_blocking(move || parent.sample(&container)).await else {
            return;
        };
        highest.send_modify(|highest| *highest = highest.highest(sample));
        sleep(SAMPLE_PAUSE).await;
    }
}
