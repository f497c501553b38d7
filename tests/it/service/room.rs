//! A worker takes what its machine has room for.

use serde_json::json;

use super::{HOLDS, Port, Worker, append, eventually, is_served};

/// Room for one job of 64 MiB, and for as many more as need nothing.
const ONE_AT_A_TIME: &str = "100m";

#[test]
fn two_jobs_that_do_not_fit_together_run_one_after_the_other() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 2, "memory": ONE_AT_A_TIME }));
    let _worker = port.worker(&[]);
    // They come in together, so whoever takes the one has looked at the other.
    port.orchestrator.publish(&[append("first", HOLDS, 1), append("second", HOLDS, 2)]);
    port.hears("first", "begun");
    assert_eq!(port.job("second").document()["status"], "waiting");
    port.release();
    port.comes_to("first", "success");
    port.hears("second", "begun");
    port.release();
    port.comes_to("second", "success");

    let jobs = port.jobs();
    let [second, first] = jobs.as_slice() else { panic!("{jobs:?}") };
    let (ended, started) = (first["ended"].as_str().unwrap(), second["started"].as_str().unwrap());
    assert!(ended <= started, "the second started at {started}, the first ended at {ended}");
}

#[test]
fn a_job_too_large_for_a_machine_is_left_to_a_larger_one_and_that_is_said_once() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "memory": ONE_AT_A_TIME }));
    let spec = std::fs::read_to_string(port.house.path().join("component-specs/raw-two.yaml")).unwrap();
    port.house.write("component-specs/raw-two.yaml", spec.replace("memory: 64m", "memory: 200m"));
    let small = port.worker(&[]);
    let mut large = append("large", "true", 1);
    large["request"]["component"] = json!("raw-two");
    port.orchestrator.publish(&[large]);
    small.says("too large for this machine");
    // Each of them makes the worker look at what waits at least once more.
    for n in 2..5 {
        let key = n.to_string();
        port.orchestrator.publish(&[append(&key, "true", n)]);
        port.comes_to(&key, "success");
    }
    assert_eq!(port.job("large").document()["status"], "waiting");
    assert_eq!(small.said().matches("too large for this machine").count(), 1, "{}", small.said());

    let _larger = Worker::on(port.machine(|settings| settings["worker"]["memory"] = json!("1g")));
    let ended = eventually("a larger machine takes it", || {
        Some(port.job("large").document()).filter(|document| document["status"] == "success")
    });
    assert_eq!(ended["attempt"], 1);
}

#[test]
fn a_job_is_as_large_as_its_configuration_asks() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "memory": "300m" }));
    let spec = std::fs::read_to_string(port.house.path().join("component-specs/raw-two.yaml")).unwrap();
    // The preset's 256 MiB.
    port.house.write("component-specs/raw-two.yaml", spec.replace("  memory: 64m\n", ""));
    let worker = port.worker(&[]);
    let job = |key: &str, runtime| {
        let mut job = append(key, "true", 1);
        job["request"]["component"] = json!("raw-two");
        job["request"]["data"]["runtime"] = runtime;
        job
    };
    port.orchestrator.publish(&[job("large", json!({ "backend": { "type": "medium" } }))]);
    worker.says("too large for this machine");
    port.orchestrator.publish(&[job("usual", json!({ "process_timeout": 90 }))]);
    port.comes_to("usual", "success");
    assert_eq!(port.job("large").document()["status"], "waiting");
}
