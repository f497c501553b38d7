//! A worker is killed in every phase. Its job ends once, by another worker, and is published once. What happened is the
//! table of `docs/reliability.md`: compared here, and written with WRITE=1.

use std::fs::File;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::json;

use super::{Port, is_served};
use crate::house::docker;

const SCRIPT: &str = "cp in/tables/a.csv out/tables/one.csv; cp in/tables/a.csv out/tables/two.csv";

#[rstest]
fn a_job_whose_worker_is_killed_ends_once_and_is_published_once(
    #[values("resolve", "image", "stage", "run", "running", "collect", "upload", "commit", "cleanup")] phase: &str,
) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    port.house.import("in.c-main.a", "id,n\n1,a\n2,b\n");
    // The component itself is no phase: a worker is killed there when it has said something.
    let is_running = phase == "running";
    let script = if is_running { format!("echo begun; sleep 2; {SCRIPT}") } else { SCRIPT.to_owned() };
    let configuration = json!({
        "parameters": { "script": script },
        "storage": {
            "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
            "output": { "tables": [
                { "source": "one.csv", "destination": "out.c-main.one", "incremental": true },
                { "source": "two.csv", "destination": "out.c-main.two", "incremental": true, "primary_key": ["id"] },
            ] },
        },
    });
    port.house.write("task.json", configuration.to_string());
    port.house.call(&["submit", "raw-shell", "--config", "task.json", "--id", "job"]).succeeded();
    let mut doomed = if is_running { port.worker(&[]) } else { port.worker(&["--hold-at", phase]) };
    port.hears("job", &if is_running { "begun".to_owned() } else { format!("holding at {phase}") });
    let left = container(&port);
    let folder = only_folder(&port);
    doomed.kill();
    let _heir = port.worker(&[]);

    let document = port.comes_to("job", "success");
    // Twice published would be rows twice in the one, and a second version of both.
    assert_eq!(port.house.export("out.c-main.one"), "id,n\n1,a\n2,b\n");
    assert_eq!(port.house.export("out.c-main.two"), "id,n\n1,a\n2,b\n");
    assert_eq!(
        (port.house.versions("out.c-main.one"), port.house.versions("out.c-main.two")),
        (vec![1], vec![1])
    );
    super::eventually("nothing of the dead worker is left", || {
        (port.house.containers().is_empty() && !folder.exists()).then_some(())
    });

    let fate = match (left.as_str(), document["attempt"].as_u64().unwrap()) {
        ("none", _) => "",
        (_, 1) => "adopted",
        (_, _) => "removed",
    };
    let attempt = document["attempt"].to_string();
    compare(phase, &[&left, fate, "success", &attempt, "once"]);
}

/// How the one container of the port's job is: the engine's word, or `none`.
fn container(port: &Port) -> String {
    match port.house.containers().first() {
        Some(name) => docker(&["inspect", "--format", "{{.State.Status}}", name]).trim().to_owned(),
        None => "none".to_owned(),
    }
}

/// The folder of the only worker.
fn only_folder(port: &Port) -> PathBuf {
    let entries = std::fs::read_dir(port.house.path().join(".longshore/work")).unwrap();
    let is_workers = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("worker-");
    let folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_workers).collect();
    let [folder] = folders.try_into().unwrap();
    folder
}

/// Compares a line of the table with what was seen, or writes it.
fn compare(phase: &str, seen: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let line = format!("| {phase} | {} |", seen.join(" | "));
    #[expect(clippy::disallowed_methods, reason = "a person asks by it for the document to be written")]
    let is_written = std::env::var_os("WRITE").is_some();
    if is_written {
        // The cases run at the same time, each in a process of its own.
        let lock = File::open(&path).unwrap();
        lock.lock().unwrap();
        let document = std::fs::read_to_string(&path).unwrap();
        let start = format!("| {phase} |");
        let lines =
            document.lines().map(|known| if known.starts_with(&start) { line.as_str() } else { known });
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    }
    let document = std::fs::read_to_string(&path).unwrap();
    assert!(
        document.lines().any(|known| known == line),
        "docs/reliability.md says otherwise; WRITE=1 writes\n{line}"
    );
}
