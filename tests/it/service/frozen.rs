//! A worker that is frozen for longer than its lease: its job is taken from it, and when it thaws it publishes nothing.

use rustix::process::Signal;
use serde_json::json;

use super::{Port, append, is_served};

#[test]
fn a_worker_whose_lease_was_taken_while_it_was_frozen_publishes_nothing() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    let frozen = port.worker(&[]);
    port.orchestrator.publish(&[append("stolen", "echo begun; sleep 2", 1)]);
    port.hears("stolen", "begun");
    frozen.signal(Signal::STOP);

    let mut thief = port.worker(&[]);
    port.comes_to("stolen", "success");
    thief.signal(Signal::TERM);
    assert_eq!(thief.ended(), 0);

    frozen.signal(Signal::CONT);
    // It has one slot: when it runs another job, it is through with the one that was taken from it.
    port.orchestrator.publish(&[append("next", "true", 2)]);
    port.comes_to("next", "success");
    assert_eq!(port.house.export("out.c-main.t"), "n\n1\n2\n");
    assert_eq!(port.house.versions("out.c-main.t"), [2, 1]);
    assert_eq!(port.house.containers(), Vec::<String>::new());
}
