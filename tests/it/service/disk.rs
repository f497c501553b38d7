//! The disk under a worker is full for a while: the job is tried again, and the worker goes on.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::{Value, json};

use super::{HOLDS, Port, Worker, append, eventually, is_served};
use crate::faults::SmallDisk;
use crate::house::numbered;

const MEBIBYTE: usize = 1 << 20;

/// Fills a disk of 12 MiB but for 3 of them.
fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 9 * MEBIBYTE]).unwrap();
    ballast
}

/// A job that needs more room than that.
fn greedy(script: &str, with_input: bool) -> Value {
    let mut message = append("greedy", script, 1);
    if with_input {
        message["request"]["data"]["storage"]["input"] =
            json!({ "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] });
    }
    message
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[rstest]
#[case::while_inputs_are_staged("true", true)]
#[case::while_the_component_writes("head -c 6m /dev/zero >out/files/x || exit 1; rm out/files/x", false)]
#[case::while_the_component_speaks("yes 12345678901234567890123456789012345 | head -c 4m", false)]
fn a_job_that_finds_the_disk_full_runs_again_when_there_is_room(
    #[case] script: &str,
    #[case] with_input: bool,
) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "attempts_max": 1000 }));
    let Some(disk) = SmallDisk::at(port.house.path().join("disk"), 12) else { return };
    if with_input {
        port.house.import("in.c-main.a", &format!("id,text\n{}", numbered(500_000, ",a text")));
    }
    let ballast = fill(&disk.0);
    let worker = Worker::on(port.machine(|settings| settings["work_dir"] = json!(disk.0)));
    port.orchestrator.publish(&[greedy(script, with_input)]);
    worker.says("code=\"disk_full\"");
    // Others need less.
    port.orchestrator.publish(&[append("modest", "true", 2)]);
    port.comes_to("modest", "success");

    fs::remove_file(ballast).unwrap();
    assert!(port.comes_to("greedy", "success")["attempt"].as_u64() > Some(1));
    assert_eq!(port.house.versions("out.c-main.t"), [2, 1]);
}

#[test]
fn a_job_that_never_finds_room_ends_and_the_next_one_runs() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "attempts_max": 2 }));
    let Some(disk) = SmallDisk::at(port.house.path().join("disk"), 12) else { return };
    let _worker = Worker::on(port.machine(|settings| settings["work_dir"] = json!(disk.0)));
    port.orchestrator.publish(&[greedy("head -c 30m /dev/zero >out/files/x", false)]);
    let document = port.comes_to("greedy", "error");
    let error = &document["error"];
    assert_eq!((&error["code"], &document["attempt"]), (&json!("disk_full"), &json!(2)), "{document}");
    port.orchestrator.publish(&[append("next", "true", 2)]);
    assert_eq!(port.comes_to("next", "success")["attempt"], 1);
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
    eventually("no file is left on the disk", || files_below(&disk.0).is_empty().then_some(()));
}

#[test]
fn of_two_jobs_on_a_disk_that_gets_full_the_one_that_fills_it_is_stopped() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "attempts_max": 1 }));
    let Some(disk) = SmallDisk::at(port.house.path().join("disk"), 256) else { return };
    let spec = fs::read_to_string(port.house.path().join("component-specs/raw-two.yaml")).unwrap();
    // The disk is memory, which counts as the writer's: slow enough, and allowed to have it all.
    let spec = spec.replace("memory: 64m", "memory: 1g\n  cpus: 0.2").replace("disk: 64MiB", "disk: 3g");
    port.house.write("component-specs/raw-two.yaml", spec);
    let _worker = Worker::on(port.machine(|settings| {
        settings["work_dir"] = json!(disk.0);
        settings["disk_reserve"] = json!("128m");
    }));
    port.orchestrator.publish(&[append("modest", HOLDS, 1)]);
    port.hears("modest", "begun");
    let mut runaway =
        append("runaway", "while :; do i=$((i + 1)); head -c 1m /dev/zero >out/files/$i || sleep 1; done", 2);
    runaway["request"]["component"] = json!("raw-two");
    port.orchestrator.publish(&[runaway]);
    let document = port.comes_to("runaway", "error");
    assert_eq!(document["error"]["code"], "disk_full", "{document}");
    let message = document["message"].as_str().unwrap();
    assert!(
        message.contains("the component that filled it") && message.contains("128 MiB are to stay free"),
        "{message}"
    );
    port.release();
    assert_eq!(port.comes_to("modest", "success")["attempt"], 1);
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
}
