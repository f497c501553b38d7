//! The runner is killed at every phase. The next command finds a consistent catalog, nothing half-published, and
//! cleans up the container and the folder.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, NO_VERSIONS, has_engine};

const SCRIPT: &str = "cp in/tables/a.csv out/tables/one.csv; cp in/tables/a.csv out/tables/two.csv";

fn storage() -> Value {
    json!({
        "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
        "output": { "tables": [
            { "source": "one.csv", "destination": "out.c-main.one" },
            { "source": "two.csv", "destination": "out.c-main.two", "incremental": true, "primary_key": ["id"] },
        ] },
    })
}

/// Runs until the runner holds at `phase`, and kills it there.
fn killed_at(house: &House, phase: &str, script: &str) {
    let mut child = house
        .script_command(script, &storage(), &["--hold-at", phase])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains(&format!("holding at {phase}")) {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended before {phase}:\n{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[rstest]
fn a_runner_killed_in_a_phase_leaves_nothing_half_done(
    #[values("resolve", "image", "stage", "run", "collect", "upload", "commit")] phase: &str,
) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.a", "id,n\n1,a\n2,b\n");
    killed_at(&house, phase, SCRIPT);

    let next = house.call(&["job", "ls", "--format", "json"]).succeeded();
    assert!(next.stderr.contains("had lost its runner"), "{}", next.stderr);
    let jobs: Value = serde_json::from_str(&next.stdout).unwrap();
    assert_eq!((&jobs[0]["status"], &jobs[0]["code"]), (&json!("error"), &json!("runner_lost")));
    assert_eq!(house.versions("out.c-main.one"), NO_VERSIONS);
    assert_eq!(house.versions("out.c-main.two"), NO_VERSIONS);
    assert!(house.call(&["job", "ls"]).stderr.is_empty(), "the second command had still something to clean");
    house.is_clean();

    // The same job again works as if nothing had happened.
    house.run_script(SCRIPT, &storage()).succeeded();
    assert_eq!(house.export("out.c-main.two"), "id,n\n1,a\n2,b\n");
    house.is_clean();
}

#[test]
fn a_runner_killed_while_the_component_runs_takes_it_along() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.a", "id,n\n1,a\n");
    let mut child = house
        .script_command("echo begun; while :; do sleep 1; done", &storage(), &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("begun") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The container still runs: nobody stopped it.
    let next = house.call(&["table", "ls"]).succeeded();
    assert!(next.stderr.contains("1 containers"), "{}", next.stderr);
    house.is_clean();
}

#[test]
fn a_process_that_lives_is_never_swept() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.a", "id,n\n1,a\n");
    let mut child = house
        .script_command("echo begun; read line <in/tables/a.csv; sleep 2; cp in/tables/a.csv out/tables/one.csv; cp in/tables/a.csv out/tables/two.csv", &storage(), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("begun") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    // Several other commands look around meanwhile.
    for _ in 0..3 {
        assert_eq!(house.call(&["job", "ls"]).succeeded().stderr, "");
    }
    let rest = std::io::read_to_string(&mut stderr).unwrap();
    let ran = crate::house::ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{said}{rest}");
    assert_eq!(house.versions("out.c-main.one"), [1]);
}

#[test]
fn what_a_killed_upload_left_in_the_store_is_removed() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.a", "id,n\n1,a-very-special-value\n");
    // At `commit` the slices are stored already.
    killed_at(&house, "commit", SCRIPT);
    house.call(&["table", "drop", "in.c-main.a"]).succeeded();
    house.call(&["job", "ls"]).succeeded();
    let slices = house.path().join(".longshore/blobs/slices");
    let mut left = Vec::new();
    for entry in std::fs::read_dir(&slices).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name != "import" {
            left.push(name);
        }
    }
    assert!(left.is_empty(), "uploads of a dead attempt are still there: {left:?}");
}
