//! Usage as the engine samples it, about once a second: what is left when the cgroup files cannot be read.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptions;
use futures_util::stream::{Stream, StreamExt};

use super::Engine;

/// One sample. Absent where the engine gives nothing, as after the container has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StatsSample {
    /// The highest the engine knows of: the kernel's peak on cgroup v1, the current value on v2.
    pub memory_bytes: Option<u64>,
    /// Since the container started.
    pub cpu: Option<Duration>,
}

/// A running series of samples.
pub(crate) struct StatsStream {
    samples: Pin<Box<dyn Stream<Item = Result<ContainerStatsResponse, ClientError>> + Send>>,
}

impl fmt::Debug for StatsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsStream").finish_non_exhaustive()
    }
}

impl Engine {
    /// Samples until the container ends.
    pub(crate) fn stats(&self, id: &str) -> StatsStream {
        let options = StatsOptions { stream: true, one_shot: false };
        StatsStream { samples: Box::pin(self.docker.stats(id, Some(options))) }
    }
}

impl StatsStream {
    /// The next sample; `None` at the end, which includes trouble: a missing sample never fails a job.
    pub(crate) async fn next(&mut self) -> Option<StatsSample> {
        self.samples.next().await?.ok().map(sample)
    }
}

fn sample(response: ContainerStatsResponse) -> StatsSample {
    let memory = response.memory_stats.and_then(|memory| memory.max_usage.max(memory.usage));
    let cpu = response.cpu_stats.and_then(|cpu| cpu.cpu_usage).and_then(|usage| usage.total_usage);
    let nonzero = |number: &u64| *number > 0;
    StatsSample { memory_bytes: memory.filter(nonzero), cpu: cpu.filter(nonzero).map(Duration::from_nanos) }
}
