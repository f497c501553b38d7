//! A worker that is asked to leave: once, and twice.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Port, is_served};

fn message(key: &str, script: &str) -> Value {
    let output = json!({ "source": "t.csv", "destination": "out.c-main.t", "incremental": true });
    let data = json!({ "parameters": { "script": script }, "storage": { "output": { "tables": [output] } } });
    json!({ "message_id": key, "request": { "version": 1, "component": "raw-shell", "data": data } })
}

fn slow(n: u32) -> String {
    format!("echo begun; sleep 2; printf 'n\\n{n}\\n' >out/tables/t.csv")
}

#[test]
fn a_worker_asked_to_leave_ends_what_it_runs_and_takes_nothing_more() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 2 }));
    let mut worker = port.worker(&[]);
    port.orchestrator.publish(&[message("a", &slow(1)), message("b", &slow(2)), message("c", &slow(3))]);
    port.hears("a", "begun");
    port.hears("b", "begun");
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended(), 0);
    for key in ["a", "b"] {
        let document = port.job(key).document();
        assert_eq!((&document["status"], &document["attempt"]), (&json!("success"), &json!(1)), "{key}");
    }
    assert_eq!(port.job("c").document()["status"], "waiting");
    assert_eq!(port.house.containers(), Vec::<String>::new());

    let _next = port.worker(&[]);
    assert_eq!(port.comes_to("c", "success")["attempt"], 1);
}

#[test]
fn a_worker_asked_twice_stops_its_jobs_and_another_runs_them_anew() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1, "attempts_max": 1 }));
    let mut worker = port.worker(&[]);
    // Only the first time it would take long.
    let script =
        "echo begun; trap 'echo stopped; exit 0' TERM; sleep 30 & wait; printf 'n\\n1\\n' >out/tables/t.csv";
    port.orchestrator.publish(&[message("a", script)]);
    port.hears("a", "begun");
    worker.signal(Signal::TERM);
    worker.says("draining");
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended(), 0);
    let document = port.job("a").document();
    assert_eq!(document["status"], "waiting", "stopped politely, and no one's fault: {document}");
    assert_eq!(port.house.versions("out.c-main.t"), crate::house::NO_VERSIONS);
    assert_eq!(port.house.containers(), Vec::<String>::new());

    let _next = port.worker(&[]);
    port.hears("a", "stopped");
    let document = port.comes_to("a", "processing");
    assert_eq!(document["attempt"], 2, "{document}");
    port.house.call(&["job", "cancel", "a"]).succeeded();
    port.comes_to("a", "terminated");
}
