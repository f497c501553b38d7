//! A message that comes more than once is one job, and one that makes none is told or kept with the reason.

use serde_json::json;

use super::server::Server;
use super::{HOLDS, Port, append, eventually, is_served};

#[test]
fn a_message_delivered_before_during_and_after_the_run_is_published_once() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let same = append("same", HOLDS, 1);
    port.orchestrator.publish(&[same.clone(), same.clone()]);
    let _worker = port.worker(&[]);
    eventually("the job is accepted", || (port.job("same").code == 0).then_some(()));
    port.hears("same", "begun");
    port.orchestrator.publish(std::slice::from_ref(&same));
    port.release();
    port.comes_to("same", "success");
    port.orchestrator.publish(&[same]);
    // It goes the same way behind them: when it has ended, they have all been looked at.
    port.orchestrator.publish(&[append("last", "true", 2)]);
    port.comes_to("last", "success");

    assert_eq!(port.house.export("out.c-main.t"), "n\n1\n2\n");
    assert_eq!(port.jobs().len(), 2);
}

#[test]
fn a_message_that_is_no_request_is_kept_with_the_reason() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let _worker = port.worker(&[]);
    let wrong = json!({ "message_id": "wrong", "request": { "version": 1, "componnt": "raw-shell" } });
    let nameless = json!({ "request": { "version": 1, "component": "raw-shell" } });
    port.orchestrator.publish(&[wrong, nameless, append("right", "true", 1)]);
    port.comes_to("right", "success");
    let dead = eventually("both are in the dead-letter queue", || {
        let listed = port.house.call(&["queue", "dead"]).succeeded().stdout;
        (listed.contains("componnt") && listed.contains("message_id")).then_some(listed)
    });
    assert!(dead.contains("wrong"), "{dead}");
    assert_eq!(port.jobs().len(), 1);
}

#[test]
fn a_component_nobody_knows_is_told_to_the_orchestrator_without_a_place_of_the_workers() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let _worker = port.worker(&[]);
    let mut job = append("k", "true", 1);
    job["request"]["component"] = json!("raw-tow");
    port.orchestrator.publish(&[job]);
    let ended = port.comes_to("k", "error");
    let known = "component raw-tow cannot be run: this worker has no spec of that id (did you mean raw-two?)";
    assert_eq!(
        (&ended["message"], &ended["error"]["code"]),
        (&json!(known), &json!("configuration_invalid"))
    );
    let detail = ended["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("/component-specs"), "{detail}");
}

#[test]
fn a_listener_who_sleeps_over_events_holds_up_no_job_and_no_reply() {
    if !is_served() {
        return;
    }
    let mut broker = Server::Rabbitmq.settings();
    broker["publish_events"] = json!(true);
    let port = Port::at(broker, &json!({}));
    port.orchestrator.sleep_over_events();
    let worker = port.worker(&[]);
    for (key, n) in [("one", 1), ("two", 2)] {
        let replies = port.orchestrator.call(&[append(key, "true", n)]);
        assert_eq!((replies.len(), &replies[0]["document"]["status"]), (1, &json!("success")));
    }
    // Who was told of an end is on record for both, so that nobody is told again.
    let not_taken = "the event of the job's end is not taken";
    eventually("both are told", || (worker.said().matches(not_taken).count() == 2).then_some(()));
    assert!(!worker.said().contains("nobody was told of the job's end"), "{}", worker.said());
}
