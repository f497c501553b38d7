//! A worker that is asked to leave: once, and twice.

use rustix::process::Signal;
use serde_json::json;

use super::{Port, append, is_served};

const SLOW: &str = "echo begun; sleep 2";

#[test]
fn a_worker_asked_to_leave_ends_what_it_runs_and_takes_nothing_more() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 2 }));
    let mut worker = port.worker(&[]);
    port.orchestrator.publish(&[append("a", SLOW, 1), append("b", SLOW, 2), append("c", SLOW, 3)]);
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
    let script = "echo begun; trap 'echo stopped; exit 0' TERM; sleep 20 & wait";
    port.orchestrator.publish(&[append("a", script, 1)]);
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
    let document = port.comes_to("a", "processing");
    assert_eq!(document["attempt"], 2, "{document}");
    port.house.call(&["job", "cancel", "a"]).succeeded();
    port.comes_to("a", "terminated");
}
