//! Watching and steering jobs that workers run.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use super::{HOLDS, Port, is_served};

/// Writes a configuration of one script.
fn script(port: &Port, script: &str) {
    port.house.write("task.json", json!({ "parameters": { "script": script } }).to_string());
}

#[test]
fn a_job_that_is_waited_for_ends_the_command_as_it_ends_itself() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let _worker = port.worker(&[]);
    script(&port, "echo said by the component");
    let followed = ["submit", "raw-shell", "--config", "task.json", "--follow", "--format", "json"];
    let ran = port.house.call(&followed).succeeded();
    assert_eq!(ran.document()["status"], "success");
    assert!(ran.stderr.contains("out | said by the component"), "{}", ran.stderr);

    script(&port, "echo not like this >&2; exit 1");
    let ran =
        port.house.call(&["submit", "raw-shell", "--config", "task.json", "--wait", "--id", "k"]).failed(1);
    assert!(ran.stderr.contains("error: not like this"), "{}", ran.stderr);
    port.house.call(&["job", "wait", "k"]).failed(1);
}

#[test]
fn a_running_job_is_followed_live_and_stopped_when_it_is_cancelled() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let _worker = port.worker(&[]);
    script(&port, HOLDS);
    port.house.call(&["submit", "raw-shell", "--config", "task.json", "--id", "k"]).succeeded();
    port.hears("k", "begun");
    let mut log =
        port.house.command(&["job", "log", "k", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(log.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The job still holds: what was said is there before the end.
    assert!(lines.any(|line| line.ends_with("begun")));

    let asked = port.house.call(&["job", "cancel", "k", "--format", "json"]).succeeded().document();
    assert_eq!(asked["answer"], "asked");
    port.house.call(&["job", "wait", "k"]).failed(130);
    assert_eq!(port.job("k").document()["status"], "terminated");
    lines.for_each(drop);
    assert_eq!(log.wait().unwrap().code(), Some(0));
    assert_eq!(port.house.containers(), Vec::<String>::new());
}
