//! Numbers that are worked out when somebody looks: ages, and what the catalog said last.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::standing::{PartStanding, Standing};
use crate::catalog::JobCounts;
use crate::job::FailureCode;

#[derive(Debug)]
pub(super) struct Counts {
    standing: Arc<Standing>,
    lease: Duration,
    jobs: Mutex<Option<JobCounts>>,
}

impl Counts {
    pub(super) fn new(standing: Arc<Standing>, lease: Duration) -> Self {
        Self { standing, lease, jobs: Mutex::new(None) }
    }

    pub(super) fn set(&self, jobs: JobCounts) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = Some(jobs);
    }

    fn encode_jobs(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let Some(jobs) = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone() else {
            return Ok(());
        };
        let kind = ConstGauge::new(0_u64).metric_type();
        let help = "Jobs in the catalog, of all workers, by where they stand";
        let mut family = encoder.encode_descriptor("jobs", help, None, kind)?;
        for (status, code, count) in &jobs.by_end {
            let blame = FailureCode::parse(code).map_or("", |code| code.blame().as_str());
            let labels = [("status", status.as_str()), ("code", code.as_str()), ("blame", blame)];
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        // The catalog's clock against ours: machines whose clocks agree within a second are good enough to watch.
        let age =
            jobs.oldest_waiting.map_or(0.0, |since| Timestamp::now().duration_since(since).as_secs_f64());
        let help = "Age of the oldest job that could be claimed now; 0 when there is none";
        encode_seconds(encoder, "oldest_waiting_job_age", help, age.max(0.0))
    }

    fn encode_parts(&self, encoder: &mut DescriptorEncoder<'_>, now: Instant) -> std::fmt::Result {
        let kind = ConstGauge::new(0_u64).metric_type();
        let help = "Whether what the worker needs could be reached when it last tried";
        let mut family = encoder.encode_descriptor("part_up", help, None, kind)?;
        for (part, standing) in self.standing.readiness(now).parts {
            let is_up = match standing {
                PartStanding::Unused | PartStanding::Unknown => continue,
                PartStanding::Up => 1_u64,
                PartStanding::Down { .. } => 0,
            };
            ConstGauge::new(is_up).encode(family.encode_family(&[("part", part.as_str())])?)?;
        }
        Ok(())
    }
}

impl Collector for Counts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let now = Instant::now();
        self.encode_jobs(&mut encoder)?;
        self.encode_parts(&mut encoder, now)?;
        if let Some(age) = self.standing.beat_age(now) {
            let help = "Since the catalog took a heartbeat of this worker";
            encode_seconds(&mut encoder, "heartbeat_age", help, age.as_secs_f64())?;
        }
        let help = "Age of a heartbeat at which the others take a worker's jobs";
        encode_seconds(&mut encoder, "lease", help, self.lease.as_secs_f64())?;
        if let Some(bytes) = resident_bytes(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
            let gauge = ConstGauge::new(bytes);
            let help = "Memory of this process";
            let metric = encoder.encode_descriptor(
                "resident_memory",
                help,
                Some(&Unit::Bytes),
                gauge.metric_type(),
            )?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

fn encode_seconds(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    seconds: f64,
) -> std::fmt::Result {
    let gauge = ConstGauge::new(seconds);
    let metric = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), gauge.metric_type())?;
    gauge.encode(metric)
}

/// `VmRSS:     12345 kB`
pub(super) fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
