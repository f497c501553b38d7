//! Submitting and steering, as far as it needs no worker: the job store is the same in every home.

use serde_json::{Value, json};

use crate::house::{House, Ran, fixture};

/// A project with one component.
fn house() -> House {
    let house = House::new();
    let spec = std::fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
    house.write("component-specs/raw-shell.yaml", spec);
    house.write("greet.yaml", "parameters: {script: echo hello}\n");
    house
}

fn submit(house: &House, more: &[&str]) -> Ran {
    let mut arguments = vec!["submit", "raw-shell", "--format", "json"];
    arguments.extend(more);
    house.call(&arguments)
}

fn jobs(house: &House) -> Vec<Value> {
    house.call(&["job", "ls", "--format", "json"]).succeeded().document().as_array().unwrap().clone()
}

#[test]
fn a_submitted_job_waits_with_its_request() {
    let house = house();
    let submitted =
        submit(&house, &["--config", "greet.yaml", "--priority", "high", "--tag", "2"]).succeeded();
    let report = submitted.document();
    assert_eq!(report["state"], "waiting");
    let listed = jobs(&house);
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["status"], &listed[0]["component"], &listed[0]["configuration"]),
        (&report["job"], &json!("waiting"), &json!("raw-shell"), &json!("greet"))
    );
    let text = house.call(&["submit", "raw-shell", "--config", "greet.yaml"]).succeeded();
    assert_eq!(text.stdout.trim().len(), 36, "the id alone is data: {}", text.stdout);
}

#[test]
fn the_same_key_is_the_same_job() {
    let house = house();
    let first = submit(&house, &["--id", "night/7"]).succeeded().document();
    let second = submit(&house, &["--id", "night/7"]).succeeded();
    assert!(second.stderr.contains("nothing was done"), "{}", second.stderr);
    let second = second.document();
    assert_eq!((&second["job"], &second["state"]), (&first["job"], &json!("known")));
    assert_eq!(jobs(&house).len(), 1);
    let uuid = "0192f0c1-2b3c-7d4e-8f50-617283940a1b";
    assert_eq!(submit(&house, &["--id", uuid]).succeeded().document()["job"], uuid);
}

#[test]
fn a_wrong_configuration_is_told_before_anything_is_submitted() {
    let house = house();
    house.write(
        "wrong.yaml",
        "parameters: {}\nstorage: {output: {tables: [{source: a.csv, destination: a}]}}\n",
    );
    let refused = submit(&house, &["--config", "wrong.yaml"]).failed(1);
    assert!(
        refused.stderr.contains("wrong.yaml:2:58: storage.output.tables[0].destination"),
        "{}",
        refused.stderr
    );
    house.write("broken.yaml", "parameters: {\n");
    assert!(submit(&house, &["--config", "broken.yaml"]).failed(1).stderr.contains("broken.yaml:"));
    assert!(
        submit(&house, &["--configuration", "none"])
            .failed(1)
            .stderr
            .contains("no stored configuration none")
    );
    assert_eq!(jobs(&house).len(), 0);
}

#[test]
fn a_component_without_a_spec_here_is_submitted_unchecked() {
    let house = house();
    let ran = house.call(&["submit", "raw-shel", "--format", "json"]).succeeded();
    assert!(
        ran.stderr.contains("did you mean raw-shell?") && ran.stderr.contains("not checked here"),
        "{}",
        ran.stderr
    );
    assert_eq!(jobs(&house)[0]["component"], "raw-shel");
}

#[test]
fn a_job_that_has_not_begun_is_cancelled_at_once_and_may_be_asked_for_again() {
    let house = house();
    let job = submit(&house, &["--config", "greet.yaml", "--id", "k"]).succeeded().document()["job"].clone();
    let job = job.as_str().unwrap();
    let early = house.call(&["job", "retry", job]).failed(1);
    assert!(early.stderr.contains("has not ended: waiting"), "{}", early.stderr);

    let cancelled = house.call(&["job", "cancel", "k", "--format", "json"]).succeeded().document();
    assert_eq!(cancelled, json!({ "job": job, "answer": "cancelled" }));
    assert_eq!(jobs(&house)[0]["status"], "cancelled");
    assert!(house.call(&["job", "cancel", job]).succeeded().stderr.contains("already"));
    house.call(&["job", "wait", job]).failed(130);

    let again = house.call(&["job", "retry", job, "--format", "json"]).succeeded().document();
    assert_eq!(again["retry_of"], job);
    let listed = jobs(&house);
    assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&again["job"], &json!("waiting")));
    assert_eq!((&listed[0]["configuration"], listed.len()), (&json!("greet"), 2));
}

#[test]
fn waiting_ends_when_its_time_is_over_and_leaves_the_job_alone() {
    let house = house();
    submit(&house, &["--id", "k"]).succeeded();
    let ran = house.call(&["job", "wait", "k", "--timeout", "1s"]).failed(124);
    assert!(ran.stderr.contains("it goes on"), "{}", ran.stderr);
    assert_eq!(jobs(&house)[0]["status"], "waiting");
    assert!(house.call(&["job", "wait", "other"]).failed(1).stderr.contains("job other does not exist"));
}

/// Whether a process has a handler for a signal: before, it would die of it.
fn is_caught(child: &std::process::Child, signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn an_interrupt_while_waiting_leaves_the_job_alone_and_says_so() {
    let house = house();
    let mut child = house
        .command(&["submit", "raw-shell", "--id", "k", "--follow"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    super::eventually("it waits and listens for signals", || {
        (is_caught(&child, rustix::process::Signal::HUP) && jobs(&house).len() == 1).then_some(())
    });
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("no longer waiting") && said.contains("goes on"), "{said}");
    assert_eq!(jobs(&house)[0]["status"], "waiting");
}

#[test]
fn configurations_are_stored_in_versions() {
    let house = house();
    let put = |file: &str, note: &str| {
        house.call(&["config", "put", "raw-shell", "greet", file, "--note", note, "--format", "json"])
    };
    let stored = json!({ "component": "raw-shell", "id": "greet", "version": 1, "is_new": true });
    assert_eq!(put("greet.yaml", "first").succeeded().document(), stored);
    assert_eq!(put("greet.yaml", "again").succeeded().document()["is_new"], false);
    house.write("other.json", r#"{"parameters": {"script": "echo other"}}"#);
    assert_eq!(put("other.json", "second").succeeded().document()["version"], 2);
    house.write("wrong.yaml", "parametrs: {}\n");
    assert!(put("wrong.yaml", "").failed(1).stderr.contains("wrong.yaml:1:1: parametrs: unknown key"));

    let get = |more: &[&str]| {
        let mut arguments = vec!["config", "get", "raw-shell", "greet"];
        arguments.extend(more);
        house.call(&arguments)
    };
    assert_eq!(get(&[]).succeeded().stdout, r#"{"parameters": {"script": "echo other"}}"#);
    assert_eq!(get(&["--version", "1"]).succeeded().stdout, "parameters: {script: echo hello}\n");
    assert!(get(&["--version", "9"]).failed(1).stderr.contains("no version 9"));

    let history =
        house.call(&["config", "history", "raw-shell", "greet", "--format", "json"]).succeeded().document();
    let notes: Vec<_> =
        history.as_array().unwrap().iter().map(|one| (&one["version"], &one["note"])).collect();
    assert_eq!(notes, [(&json!(2), &json!("second")), (&json!(1), &json!("first"))]);
    let listed = house.call(&["config", "ls", "--format", "json"]).succeeded().document();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["version"], &listed[1]),
        (&json!("greet"), &json!(2), &Value::Null)
    );

    submit(&house, &["--configuration", "greet"]).succeeded();
    assert_eq!(jobs(&house)[0]["configuration"], "greet");
}
