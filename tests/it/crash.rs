//! The runner is killed at every phase. The next command finds a consistent catalog, nothing half-published, and
//! cleans up the container and the folder.

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, NO_VERSIONS, has_engine};
use crate::running::Running;

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
    let mut running = Running::start(&mut house.script_command(script, &storage(), &["--hold-at", phase]));
    running.wait_for(&format!("holding at {phase}"));
    running.kill();
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
    let script = "echo begun; while :; do sleep 1; done";
    let mut running = Running::start(&mut house.script_command(script, &storage(), &[]));
    running.wait_for("begun");
    running.kill();
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
    let script = format!("echo begun; sleep 2; {SCRIPT}");
    let mut running = Running::start(&mut house.script_command(&script, &storage(), &[]));
    running.wait_for("begun");
    // Several other commands look around meanwhile.
    for _ in 0..3 {
        assert_eq!(house.call(&["job", "ls"]).succeeded().stderr, "");
    }
    running.finish().succeeded();
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
