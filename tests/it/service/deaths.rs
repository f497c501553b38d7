//! A worker is killed in every phase. Its job ends once, by another worker, and is published once. What happened is the
//! table of `docs/reliability.md`: compared here, and written with WRITE=1.

use std::fs::File;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::json;

use super::{HOLDS, Port, Worker, eventually, is_served};
use crate::house::docker;

const SCRIPT: &str = "cp in/tables/a.csv out/tables/one.csv; cp in/tables/a.csv out/tables/two.csv";

/// Who takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heir {
    /// Starts on the dead worker's machine.
    Here,
    /// Was at work on another machine all the time.
    Elsewhere,
}

#[rstest]
fn a_job_whose_worker_is_killed_ends_once_and_is_published_once(
    #[values("resolve", "image", "stage", "run", "running", "collect", "upload", "commit", "cleanup")] phase: &str,
) {
    dies(phase, Heir::Here);
}

#[rstest]
fn a_job_whose_machine_is_gone_ends_once_and_is_published_once(
    #[values("image", "run", "running", "upload", "cleanup")] phase: &str,
) {
    dies(phase, Heir::Elsewhere);
}

fn dies(phase: &str, heir: Heir) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    submit(&port, phase);
    let mut doomed = doomed(&port, phase);
    let has_ended = matches!(phase, "collect" | "upload" | "commit" | "cleanup");
    let left = if has_ended {
        eventually("the container of a component that has ended is removed", || {
            port.house.containers().is_empty().then(|| "none".to_owned())
        })
    } else {
        container(&port)
    };
    let folder = only_folder(&port);
    let _heir = match heir {
        Heir::Here => {
            doomed.kill();
            port.worker(&[])
        }
        Heir::Elsewhere => {
            let other = Worker::on(port.machine(|_settings| {}));
            doomed.kill();
            other
        }
    };

    let document = eventually("the job succeeds", || {
        // Whichever container there is, the one that was adopted or the next attempt's.
        if phase == "running" {
            port.release();
        }
        Some(port.job("job").document()).filter(|document| document["status"] == "success")
    });
    // Twice published would be rows twice in the one, and a second version of both.
    assert_eq!(port.house.export("out.c-main.one"), "id,n\n1,a\n2,b\n");
    assert_eq!(port.house.export("out.c-main.two"), "id,n\n1,a\n2,b\n");
    assert_eq!(
        (port.house.versions("out.c-main.one"), port.house.versions("out.c-main.two")),
        (vec![1], vec![1])
    );
    eventually("nothing of the dead worker is left", || {
        // What lies on a machine is left to who comes back there.
        (port.house.containers().is_empty() && (heir == Heir::Elsewhere || !folder.exists())).then_some(())
    });

    let fate = match (left.as_str(), document["attempt"].as_u64().unwrap()) {
        ("none", _) => "",
        (_, 1) => "adopted",
        (_, _) => "removed",
    };
    let attempt = document["attempt"].to_string();
    let name = match heir {
        Heir::Here => phase.to_owned(),
        Heir::Elsewhere => format!("{phase}, by another machine"),
    };
    compare(&name, &[&left, fate, "success", &attempt, "once"]);
}

/// A job that publishes two tables.
fn submit(port: &Port, phase: &str) {
    port.house.import("in.c-main.a", "id,n\n1,a\n2,b\n");
    let hold = if phase == "running" { HOLDS } else { "true" };
    let configuration = json!({
        "parameters": { "script": format!("{hold}; {SCRIPT}") },
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
}

/// A worker that has come to a phase. The component itself is none: there it is known by what it says.
fn doomed(port: &Port, phase: &str) -> Worker {
    if phase == "running" {
        let worker = port.worker(&[]);
        port.hears("job", "begun");
        return worker;
    }
    let worker = port.worker(&["--hold-at", phase]);
    port.hears("job", &format!("holding at {phase}"));
    worker
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
