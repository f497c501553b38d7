//! What a worker counts, and how it stands.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::super::counts::resident_bytes;
use super::super::standing::Standing;
use super::super::{DeliveryEnd, Loop, LoopStanding, Meters, Part, PartStanding, Readiness};
use crate::catalog::JobCounts;
use crate::job::{FailureCode, JobStatus, Phase};

const LEASE: Duration = Duration::from_secs(15);

/// The samples without comments, and without those that are of this machine and moment.
fn samples(meters: &Meters) -> Vec<String> {
    let text = meters.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let of_machine = [
        "longshore_resident_memory_bytes",
        "longshore_build_info",
        "longshore_phase_duration_seconds_bucket",
    ];
    lines.filter(|line| !of_machine.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
}

#[test]
fn everything_a_worker_does_is_counted() {
    let meters = Meters::new(&Part::ALL, LEASE);
    let clone = meters.clone();
    clone.job_ended(JobStatus::Success, None);
    clone.job_ended(JobStatus::Success, None);
    clone.job_ended(JobStatus::Error, Some(FailureCode::OutOfMemory));
    clone.attempt_put_back(FailureCode::EngineFailed);
    clone.delivery(DeliveryEnd::Accepted);
    clone.delivery(DeliveryEnd::Refused);
    clone.phase(Phase::Run, Duration::from_millis(1500));
    clone.phase(Phase::Run, Duration::from_millis(500));
    clone.bytes(10, 20);
    clone.bytes(1, 2);
    clone.slots(3, 8);
    clone.admitted(5, 100);
    clone.worker_lost();
    clone.connection(Part::Broker, false);
    clone.connection(Part::Broker, true);
    clone.connection(Part::Catalog, true);
    clone.connection(Part::Engine, false);
    let mut found = samples(&meters);
    found.sort();
    insta::assert_snapshot!(found.join("\n"), @r#"
    longshore_attempts_put_back_total{code="engine_failed"} 1
    longshore_deliveries_total{end="accepted"} 1
    longshore_deliveries_total{end="refused"} 1
    longshore_jobs_ended_total{status="error",code="out_of_memory",blame="user"} 1
    longshore_jobs_ended_total{status="success",code="",blame=""} 2
    longshore_lease_seconds 15.0
    longshore_memory_admitted_bytes 5
    longshore_memory_budget_bytes 100
    longshore_part_up{part="broker"} 1
    longshore_part_up{part="catalog"} 1
    longshore_part_up{part="engine"} 0
    longshore_phase_duration_seconds_count{phase="run"} 2
    longshore_phase_duration_seconds_sum{phase="run"} 2.0
    longshore_reconnects_total{part="broker"} 1
    longshore_slots 8
    longshore_slots_used 3
    longshore_tables_bytes_total{direction="in"} 11
    longshore_tables_bytes_total{direction="out"} 22
    longshore_workers_lost_total 1
    "#);
}

#[test]
fn the_catalogs_jobs_are_told_with_whose_fault_it_was() {
    let meters = Meters::new(&[], LEASE);
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let by_end = vec![("waiting".into(), String::new(), 4), ("error".into(), "component_failed".into(), 2)];
    meters.jobs(JobCounts { by_end, oldest_waiting: Some(hour_ago) });
    meters.beat();
    let found = samples(&meters);
    for wanted in [
        "longshore_jobs{status=\"waiting\",code=\"\",blame=\"\"} 4",
        "longshore_jobs{status=\"error\",code=\"component_failed\",blame=\"component\"} 2",
    ] {
        assert!(found.iter().any(|line| line == wanted), "{found:#?}");
    }
    let seconds = |name: &str| -> f64 {
        let line = found.iter().find(|line| line.starts_with(name)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let age = seconds("longshore_oldest_waiting_job_age_seconds");
    assert!((3_600.0..7_200.0).contains(&age), "{age}");
    assert!((0.0..3_600.0).contains(&seconds("longshore_heartbeat_age_seconds")));
    meters.jobs(JobCounts { by_end: Vec::new(), oldest_waiting: None });
    let found = samples(&meters);
    assert!(found.contains(&"longshore_oldest_waiting_job_age_seconds 0.0".to_owned()), "{found:#?}");
    assert!(
        !found.iter().any(|line| line.starts_with("longshore_jobs{")),
        "a state nobody is in is not told"
    );
}

#[test]
fn a_worker_is_ready_when_every_part_it_needs_is_up() {
    let (standing, start) = (Standing::new(&[Part::Catalog, Part::Engine]), Instant::now());
    let parts = |catalog, engine| {
        let unused = PartStanding::Unused;
        [(Part::Broker, unused), (Part::Catalog, catalog), (Part::Blobs, unused), (Part::Engine, engine)]
    };
    let unknown =
        Readiness { is_draining: false, parts: parts(PartStanding::Unknown, PartStanding::Unknown) };
    assert_eq!((standing.readiness(start), unknown.is_ready()), (unknown, false));
    assert!(!standing.heard(Part::Catalog, true, start));
    assert!(!standing.heard(Part::Engine, true, start));
    let up = Readiness { is_draining: false, parts: parts(PartStanding::Up, PartStanding::Up) };
    assert_eq!((standing.readiness(start), up.is_ready()), (up.clone(), true));
    let later = |seconds| start + Duration::from_secs(seconds);
    assert!(!standing.heard(Part::Engine, false, later(1)));
    assert!(!standing.heard(Part::Engine, false, later(5)), "it was down before");
    let since = Duration::from_secs(9);
    let down = Readiness { is_draining: false, parts: parts(PartStanding::Up, PartStanding::Down { since }) };
    assert_eq!((standing.readiness(later(10)), down.is_ready()), (down, false));
    assert!(standing.heard(Part::Engine, true, later(11)), "it has come back");
    assert_eq!(standing.readiness(later(12)), up);
    standing.drain();
    let draining = Readiness { is_draining: true, ..up };
    assert_eq!((standing.readiness(later(12)), draining.is_ready()), (draining, false));
}

#[test]
fn a_loop_that_does_not_come_round_in_time_is_stuck() {
    let (standing, start) = (Standing::new(&[]), Instant::now());
    let later = |seconds| start + Duration::from_secs(seconds);
    let age = Duration::from_secs;
    standing.watch(Loop::Heart, age(10), start);
    standing.watch(Loop::Claims, age(60), start);
    standing.turn(Loop::Claims, later(5));
    let heart = |age, is_stuck| LoopStanding { turning: Loop::Heart, age, is_stuck };
    let claims = |age| LoopStanding { turning: Loop::Claims, age, is_stuck: false };
    assert_eq!(standing.loops(later(10)), [heart(age(10), false), claims(age(5))]);
    assert_eq!(standing.loops(later(11)), [heart(age(11), true), claims(age(6))]);
    standing.turn(Loop::Heart, later(12));
    assert_eq!(standing.loops(later(13)), [heart(age(1), false), claims(age(8))]);
    standing.forget(Loop::Claims);
    assert_eq!(standing.loops(later(13)), [heart(age(1), false)]);
}

#[test]
fn the_memory_of_the_process_is_read_from_its_status() {
    assert_eq!(resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t   1234 kB\n"), Some(1234 * 1024));
    assert_eq!([resident_bytes(""), resident_bytes("VmRSS: much")], [None; 2]);
}
