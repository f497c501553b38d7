//! A worker that is asked to leave: once, and twice.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{HOLDS, Port, Worker, append, eventually, is_served};
use crate::house::House;

#[test]
fn a_worker_asked_to_leave_ends_what_it_runs_and_takes_nothing_more() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 2 }));
    let mut worker = port.worker(&[]);
    port.orchestrator.publish(&[append("a", HOLDS, 1), append("b", HOLDS, 2), append("c", HOLDS, 3)]);
    port.hears("a", "begun");
    port.hears("b", "begun");
    worker.signal(Signal::TERM);
    worker.says("taking no more jobs");
    port.release();
    assert_eq!(worker.ended(), 0);
    for key in ["a", "b"] {
        let document = port.job(key).document();
        assert_eq!((&document["status"], &document["attempt"]), (&json!("success"), &json!(1)), "{key}");
    }
    assert_eq!(port.job("c").document()["status"], "waiting");
    assert_eq!(port.house.containers(), Vec::<String>::new());

    let _next = port.worker(&[]);
    port.hears("c", "begun");
    port.release();
    assert_eq!(port.comes_to("c", "success")["attempt"], 1);
}

#[test]
fn a_log_for_machines_has_nothing_but_objects() {
    let house = House::new();
    house.write(
        "longshore.yaml",
        json!({ "log": { "format": "json" }, "http": { "listen": "off" } }).to_string(),
    );
    let mut worker = Worker::start(&house, &[]);
    worker.says("at work");
    worker.signal(Signal::TERM);
    worker.says("taking no more jobs");
    assert_eq!(worker.ended(), 0);
    for line in worker.said().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
}

#[test]
fn a_worker_asked_twice_stops_its_jobs_and_another_runs_them_anew() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1, "attempts_max": 1 }));
    let mut worker = port.worker(&[]);
    let script = format!("trap 'echo stopped; exit 0' TERM; {HOLDS}");
    port.orchestrator.publish(&[append("a", &script, 1)]);
    port.hears("a", "begun");
    worker.signal(Signal::TERM);
    worker.says("taking no more jobs");
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended(), 0);
    let document = port.job("a").document();
    assert_eq!(document["status"], "waiting", "stopped politely, and no one's fault: {document}");
    assert_eq!(port.house.versions("out.c-main.t"), crate::house::NO_VERSIONS);
    assert_eq!(port.house.containers(), Vec::<String>::new());

    let _next = port.worker(&[]);
    port.hears("a", "stopped");
    let document = eventually("the next attempt succeeds", || {
        port.release();
        Some(port.job("a").document()).filter(|document| document["status"] == "success")
    });
    assert_eq!(document["attempt"], 2, "{document}");
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
}
