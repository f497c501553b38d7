//! A worker that is frozen for longer than its lease: its job is taken from it, and when it thaws it publishes nothing.

use rustix::process::Signal;
use serde_json::json;

use super::{HOLDS, Port, append, eventually, is_served};

#[test]
fn a_worker_whose_lease_was_taken_while_it_was_frozen_publishes_nothing() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    let frozen = port.worker(&[]);
    port.orchestrator.publish(&[append("stolen", HOLDS, 1)]);
    port.hears("stolen", "begun");
    frozen.signal(Signal::STOP);

    let mut thief = port.worker(&[]);
    eventually("the job is another worker's", || {
        let document = port.job("stolen").document();
        // The container of the frozen worker is let go too: what it made lies there, ready to be published.
        port.release();
        (document["status"] == "success" && document["attempt"] == 2).then_some(())
    });
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
