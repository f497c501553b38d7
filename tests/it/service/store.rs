//! The blob store has trouble while a worker stages and uploads: what it makes is published once, and no half upload stays.

use rstest::rstest;
use serde_json::{Value, json};

use super::faulty_store::{Fault, FaultyStore};
use super::{Port, Worker, eventually, is_served};
use crate::house::numbered;

/// Enough for an upload in several parts, also when it is compressed.
const SCRIPT: &str = "cat in/tables/a.csv >out/tables/t.csv; \
    head -c 20000000 /dev/urandom | base64 >>out/tables/t.csv";
/// There are 57 bytes in a line.
const ROWS: usize = 100_000 + 20_000_000_usize.div_ceil(57);
/// The first line of a request for bytes of the input, and of one that carries a part of the output.
const STAGING: [&str; 2] = ["GET ", "/slices/"];
const UPLOADING: [&str; 2] = ["PUT ", "partNumber="];

/// A worker that reaches the store through a faulty one only; everybody else reaches it directly.
fn behind_fault(port: &Port, patience: &str) -> (FaultyStore, Worker) {
    let store = FaultyStore::before(port.settings["blobs"]["s3"]["endpoint"].as_str().unwrap());
    let machine = port.machine(|settings| {
        settings["blobs"]["s3"]["endpoint"] = json!(store.endpoint);
        settings["blobs"]["patience"] = json!(patience);
    });
    (store, Worker::on(machine))
}

/// A job with a large output, appended to its table.
fn large(port: &Port) -> Value {
    port.house.import("in.c-main.a", &format!("v\n{}", numbered(100_000, "")));
    let data = json!({
        "parameters": { "script": SCRIPT },
        "storage": {
            "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
            "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t", "incremental": true }] },
        },
    });
    json!({ "message_id": "job", "request": { "version": 1, "component": "raw-shell", "data": data } })
}

/// Its output is there once, and nothing is left of what failed.
fn is_published_once(port: &Port) {
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
    assert_eq!(port.house.export("out.c-main.t").lines().count(), ROWS + 1);
    // An upload that was given up is gone when the store has answered to that.
    eventually("no upload is unfinished", || {
        let would = port.house.call(&["gc", "--min-age", "0s", "--dry-run", "--format", "json"]).succeeded();
        (would.document()["uploads"] == json!(0)).then_some(())
    });
}

#[rstest]
#[case::internal_errors(Fault::Answers(500, "InternalError"))]
#[case::being_told_to_slow_down(Fault::Answers(503, "SlowDown"))]
#[case::resets_on_the_way_there(Fault::ResetsRequest(1 << 20))]
#[case::answers_that_break_off(Fault::CutsAnswer(100))]
fn trouble_of_the_store_that_passes_costs_no_attempt(#[case] fault: Fault) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (store, _worker) = behind_fault(&port, "60s");
    store.fail(STAGING, fault, 2);
    store.fail(UPLOADING, fault, 3);
    port.orchestrator.publish(&[large(&port)]);
    assert_eq!(port.comes_to("job", "success")["attempt"], 1);
    assert_eq!(store.planned(), 0, "not every fault was met");
    is_published_once(&port);
}

/// A silence is over when a third of patience is, or a whole one where bytes are carried.
#[test]
fn a_store_that_hangs_for_a_while_costs_no_attempt() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (store, _worker) = behind_fault(&port, "15s");
    store.fail(STAGING, Fault::Hangs, 1);
    store.fail(UPLOADING, Fault::Hangs, 1);
    port.orchestrator.publish(&[large(&port)]);
    assert_eq!(port.comes_to("job", "success")["attempt"], 1);
    assert_eq!(store.planned(), 0, "not every fault was met");
    is_published_once(&port);
}

#[rstest]
#[case::while_inputs_are_staged(STAGING)]
#[case::while_outputs_are_uploaded(UPLOADING)]
fn a_job_whose_store_is_in_trouble_for_longer_runs_again(#[case] what: [&'static str; 2]) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "attempts_max": 1000 }));
    let (store, worker) = behind_fault(&port, "5s");
    store.fail(what, Fault::Answers(503, "SlowDown"), usize::MAX);
    port.orchestrator.publish(&[large(&port)]);
    worker.says("code=\"storage_failed\"");
    store.mend();
    assert!(port.comes_to("job", "success")["attempt"].as_u64() > Some(1));
    is_published_once(&port);
}

#[test]
fn no_job_is_taken_while_the_store_is_away() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (store, worker) = behind_fault(&port, "5s");
    worker.says("at work");
    store.fail(["", ""], Fault::ResetsRequest(0), usize::MAX);
    port.orchestrator.publish(&[large(&port)]);
    worker.says("no jobs are taken until it is back");
    store.mend();
    assert_eq!(port.comes_to("job", "success")["attempt"], 1);
    is_published_once(&port);
}
