//! What the container used: the kernel's own counters where we may see them, the engine's samples elsewhere.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cgroup::{CgroupParent, CgroupUsage};
use crate::engine::{CgroupDriver, Engine, StatsSample};

/// Watches one running container. Dropping it stops the watch.
#[derive(Debug)]
pub(super) struct UsageWatch {
    parent: Option<CgroupParent>,
    samples: watch::Receiver<StatsSample>,
    _task: JoinSet<()>,
}

impl UsageWatch {
    /// Begins after the start. Samples only what the kernel does not tell for sure.
    pub(super) async fn begin(engine: &Engine, id: &str, parent: Option<CgroupParent>) -> Self {
        let seen = match &parent {
            Some(parent) => parent.usage().await.unwrap_or_default(),
            None => CgroupUsage::default(),
        };
        let (highest_seen, samples) = watch::channel(StatsSample::default());
        let mut task = JoinSet::new();
        let counts_nothing =
            engine.facts().await.is_ok_and(|facts| facts.cgroup_driver == CgroupDriver::None);
        // Such an engine gives the figures of the whole machine.
        if !counts_nothing && (seen.memory_peak_bytes.is_none() || seen.cpu.is_none()) {
            let mut stats = engine.stats(id);
            task.spawn(async move {
                while let Some(sample) = stats.next().await {
                    highest_seen.send_modify(|highest| {
                        highest.memory_bytes = highest.memory_bytes.max(sample.memory_bytes);
                        highest.cpu = highest.cpu.max(sample.cpu);
                    });
                }
            });
        }
        Self { parent, samples, _task: task }
    }

    /// The sum, after the container has ended and before it is removed.
    pub(super) async fn read(&self) -> CgroupUsage {
        let exact = match &self.parent {
            Some(parent) => parent.usage().await.unwrap_or_default(),
            None => CgroupUsage::default(),
        };
        let sampled = *self.samples.borrow();
        CgroupUsage {
            memory_peak_bytes: exact.memory_peak_bytes.or(sampled.memory_bytes),
            oom_kills: exact.oom_kills,
            cpu: exact.cpu.or(sampled.cpu).filter(|cpu| *cpu > Duration::ZERO),
        }
    }
}
