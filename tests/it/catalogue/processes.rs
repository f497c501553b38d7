//! Processes: too many, left behind, and asked not to end.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::scene::processes_with;
use super::{Scene, Trick};
use crate::house::{House, NO_VERSIONS, has_engine};
use crate::running::Running;

#[test]
fn a_fork_bomb_ends_at_its_time_limit_and_harms_nobody() {
    let Some(scene) = Scene::open(&[]) else { return };
    // Memory enough for as many processes as there may be: which limit is met first is not left to chance.
    let bomb = Trick::new("/hostile/fork-bomb").limit("timeout", "3s").limit("memory", "256m");
    scene
        .play(&bomb)
        .fails("time_limit", &["3 s", "from `resources.timeout` of the spec"])
        .says(&["was refused a further process", "process limit 64 processes, from `resources.pids`"]);
    // By the means of a shell, which gives up.
    let bomb = Trick::new("b() { b | b & }; b; wait").limit("timeout", "5s");
    let ended = scene.play(&bomb).document();
    assert_ne!(ended["status"], "processing", "{ended}");
    scene.close();
}

#[test]
fn who_leaves_a_process_behind_publishes_what_was_there_at_the_end() {
    let Some(scene) = Scene::open(&[]) else { return };
    let marker = format!("survivor-{}", std::process::id());
    let script = format!("sh /hostile/survive.sh {marker}");
    let mut command = scene.command("trick", &Trick::new(&script), &["--hold-at", "collect"]);
    let mut running = Running::start(&mut command);
    running.wait_for("holding at collect");
    // Not a byte has been read yet, and nobody is left who could write another.
    assert_eq!(processes_with(&marker), Vec::<String>::new());
    let tables: Vec<_> = scene
        .data_folders()
        .into_iter()
        .map(|data| data.join("out/tables/t.csv"))
        .filter(|table| table.exists())
        .collect();
    assert_eq!(tables.len(), 1);
    running.signal("INT");
    running.finish().failed(130);

    let played = scene.play(&Trick::new(&script)).succeeds();
    let rows = played.document()["output"]["tables"][0]["rows_total"].as_u64().unwrap();
    assert_eq!(scene.house.export("out.c-main.t").lines().count() as u64, rows + 1);
    assert_eq!(processes_with(&marker), Vec::<String>::new());
    scene.close();
}

#[test]
fn who_ignores_the_signal_or_stops_itself_is_killed_after_the_grace() {
    let Some(scene) = Scene::open(&[("LONGSHORE_STOP_GRACE", "1s")]) else { return };
    for script in ["trap '' TERM INT HUP; while :; do sleep 1; done", "kill -STOP $$; sleep 60"] {
        scene.play(&Trick::new(script).limit("timeout", "2s")).fails("time_limit", &["2 s"]);
    }
    scene.close();
}

#[test]
fn who_ignores_a_cancellation_is_killed_and_publishes_nothing() {
    let Some(scene) = Scene::open(&[("LONGSHORE_STOP_GRACE", "1s")]) else { return };
    let script =
        "trap '' TERM INT HUP; printf 'id\\n' >out/tables/t.csv; echo deaf; while :; do sleep 1; done";
    let mut running = Running::start(&mut scene.command("trick", &Trick::new(script), &[]));
    running.wait_for("deaf");
    running.signal("INT");
    let ended = running.finish().failed(130);
    assert_eq!(ended.document()["status"], "terminated");
    scene.ended(ended);
    assert_eq!(scene.house.versions("out.c-main.t"), NO_VERSIONS);
    scene.close();
}

#[test]
fn a_killed_runner_leaves_no_process_once_somebody_looks() {
    let Some(scene) = Scene::open(&[]) else { return };
    let marker = format!("orphan-{}", std::process::id());
    let script = format!("echo ready; sh -c 'while :; do sleep 1; done # {marker}'");
    let mut running = Running::start(&mut scene.command("trick", &Trick::new(&script), &[]));
    running.wait_for("ready");
    running.kill();
    scene.house.call(&["job", "ls"]).succeeded();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !processes_with(&marker).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", processes_with(&marker));
        std::thread::yield_now();
    }
    assert!(fs::read_dir(scene.house.path().join(".longshore/work")).unwrap().count() == 1);
    scene.close();
}

/// The usual limit of 1024 would be taken up by the connections of one component to its relay or its log listener.
#[test]
fn a_low_limit_on_open_files_is_not_shared_among_all_components() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let called = house.script_command("true", &json!({}), &["--hold-at", "run"]);
    let mut lowered = Command::new("sh");
    lowered
        .args(["-c", "ulimit -Sn 256; exec \"$@\"", "sh"])
        .arg(called.get_program())
        .args(called.get_args());
    let mut running = Running::start(lowered.current_dir(house.path()));
    running.wait_for("holding at run");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let values: Vec<&str> = open_files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(values[0], values[1], "{open_files}");
    running.signal("INT");
    running.finish().failed(130);
    house.is_clean();
}
