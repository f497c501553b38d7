//! Attacks on the promises: other people's folders, closed doors, two at once, interrupts at every phase.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, NO_VERSIONS, fixture, has_engine, numbered, ran};
use crate::running::Running;

fn one_output() -> Value {
    json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] } })
}

/// Everything in a folder of the project's state.
fn left_in(house: &House, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(house.path().join(".longshore").join(folder)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// As if a process had died that had claimed a folder of its own and had written `file` in it.
fn plant_dead_worker(house: &House, file: &str) -> String {
    let worker = "w-01a20000-0000-7000-8000-000000000001".to_owned();
    house.call(&["table", "ls"]).succeeded();
    house.write(&format!(".longshore/workers/{worker}"), "");
    house.write(&format!(".longshore/{}/{file}", file_place(&worker, file)), "half");
    worker
}

fn file_place(worker: &str, file: &str) -> String {
    if file == "scratch" { format!("blobs/.scratch/{worker}") } else { format!("work/{worker}") }
}

#[test]
fn a_work_folder_that_others_use_too_is_left_alone() {
    let house = House::new();
    let precious = house.write("shared/precious/thesis.txt", "ten years of work");
    let note = house.write("shared/a-file", "");
    let mut command = house.command(&["table", "ls"]);
    ran(command.env("LONGSHORE_WORK_DIR", house.path().join("shared")).output().unwrap()).succeeded();
    assert_eq!(fs::read_to_string(precious).unwrap(), "ten years of work");
    assert!(note.exists());
}

#[test]
fn a_process_with_another_work_folder_is_seen_alive_and_cleaned_up_after_when_dead() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = house.script_command("true", &json!({}), &["--hold-at", "run"]);
    let mut running = Running::start(command.env("LONGSHORE_WORK_DIR", elsewhere.path()));
    running.wait_for("holding at run");
    let looked = house.call(&["job", "ls"]).succeeded();
    assert!(
        looked.stderr.is_empty() && looked.stdout.contains("processing"),
        "{}{}",
        looked.stdout,
        looked.stderr
    );
    assert_eq!(house.containers().len(), 1);
    running.kill();
    let next = house.call(&["job", "ls"]).succeeded();
    assert!(next.stderr.contains("had lost its runner"), "{}", next.stderr);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    house.is_clean();
}

#[test]
fn what_a_killed_process_was_writing_is_removed() {
    let house = House::new();
    plant_dead_worker(&house, "scratch");
    assert_eq!(house.call(&["table", "ls"]).succeeded().stderr, "");
    assert!(left_in(&house, "blobs/.scratch").is_empty() && left_in(&house, "workers").is_empty());
}

#[test]
fn what_cannot_be_cleaned_up_now_stops_nobody_and_is_cleaned_up_later() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    plant_dead_worker(&house, "spool");
    let mut command = house.command(&["table", "ls"]);
    let without = ran(command.env("LONGSHORE_ENGINE_HOST", "unix:///nowhere").output().unwrap()).succeeded();
    assert!(without.stderr.contains("could not be cleaned up after yet"), "{}", without.stderr);
    let with = house.call(&["table", "ls"]).succeeded();
    assert!(with.stderr.contains("cleaned up after a runner that died"), "{}", with.stderr);
    house.is_clean();
}

#[test]
fn a_copy_of_a_project_leaves_the_originals_job_alone() {
    if !has_engine() {
        return;
    }
    let (house, copy) = (House::new(), House::new());
    let script = "echo begun; while ! test -e out/files/go; do sleep 0.1; done; echo id >out/tables/t.csv";
    let mut running = Running::start(&mut house.script_command(script, &one_output(), &[]));
    running.wait_for("begun");
    let mut copying = Command::new("cp");
    copying.arg("-r").arg(house.path().join(".longshore")).arg(copy.path());
    assert!(copying.status().unwrap().success());
    let looked = copy.call(&["job", "ls"]).succeeded();
    assert!(looked.stdout.contains("error"), "in the copy nobody runs it: {}", looked.stdout);
    assert_eq!(house.containers().len(), 1, "the copy removed the original's container");
    let folder = fs::read_dir(house.path().join(".longshore/work")).unwrap().next().unwrap().unwrap().path();
    let data = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("data/out/files"));
    for files in data.filter(|files| files.is_dir()) {
        fs::write(files.join("go"), "").unwrap();
    }
    running.finish().succeeded();
    assert_eq!(house.versions("out.c-main.t"), [1]);
    house.is_clean();
}

#[test]
fn a_project_that_was_moved_is_cleaned_up_where_it_is_now() {
    if !has_engine() {
        return;
    }
    let (house, moved) = (House::new(), House::new());
    let mut running = Running::start(&mut house.script_command("echo begun; sleep 20", &json!({}), &[]));
    running.wait_for("begun");
    running.kill();
    fs::rename(house.path().join(".longshore"), moved.path().join(".longshore")).unwrap();
    let next = moved.call(&["job", "ls"]).succeeded();
    assert!(next.stderr.contains("1 containers"), "{}", next.stderr);
    moved.is_clean();
    assert!(left_in(&moved, "workers").is_empty());
}

#[test]
fn a_project_may_be_named_by_a_relative_path() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.write("task.json", json!({ "parameters": { "script": "true" } }).to_string());
    let spec = fixture("components/raw-shell.yaml");
    let arguments = ["run", spec.to_str().unwrap(), "--config", "task.json", "--project", "."];
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    ran(command.args(arguments).current_dir(house.path()).output().unwrap()).succeeded();
    house.is_clean();
}

#[test]
fn a_job_goes_on_when_nobody_reads_what_it_says() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "echo begun; sleep 0.3; echo more; sleep 0.3; echo id >out/tables/t.csv";
    let mut command = house.script_command(script, &one_output(), &[]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stderr.take().unwrap().read_exact(&mut [0]).unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(house.versions("out.c-main.t"), [1]);
    house.is_clean();
}

#[rstest]
fn an_interrupt_in_any_phase_publishes_nothing_and_leaves_nothing(
    #[values("resolve", "image", "stage", "run", "collect", "upload", "commit")] phase: &str,
) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let mut command = house.script_command("echo id >out/tables/t.csv", &one_output(), &["--hold-at", phase]);
    let mut running = Running::start(&mut command);
    running.wait_for(&format!("holding at {phase}"));
    running.signal("INT");
    running.finish().failed(130);
    assert_eq!(house.versions("out.c-main.t"), NO_VERSIONS);
    assert!(left_in(&house, "blobs/slices").is_empty(), "an upload was left");
    assert!(left_in(&house, "workers").is_empty());
    house.is_clean();
}

#[rstest]
#[case::of_the_keyboard("INT")]
#[case::of_the_system("TERM")]
#[case::of_a_terminal_that_was_closed("HUP")]
fn an_interrupt_stops_the_component(#[case] signal: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let mut running = Running::start(&mut house.script_command("echo begun; sleep 25", &json!({}), &[]));
    running.wait_for("begun");
    running.signal(signal);
    let ended = running.finish().failed(130);
    assert_eq!(ended.document()["status"], "terminated");
    house.is_clean();
}

#[rstest]
#[case::out_is_a_file("rm -r out; echo x >out", "out is a plain file")]
#[case::out_is_a_link("rm -r out; ln -s /etc out", "out is a symbolic link")]
#[case::out_is_a_pipe("rm -r out; mkfifo out", "out is a named pipe")]
#[case::a_manifest_is_a_pipe(
    "echo id >out/tables/a.csv; mkfifo out/tables/a.csv.manifest",
    "a.csv.manifest is a named pipe"
)]
#[case::a_manifest_is_huge(
    "echo id >out/tables/a.csv; head -c 2m /dev/zero >out/tables/a.csv.manifest",
    "a.csv.manifest has 2097152 bytes"
)]
#[case::the_state_is_a_pipe("mkfifo out/state.json", "out/state.json is a named pipe")]
#[case::the_state_is_a_link("ln -s /etc/passwd out/state.json", "out/state.json is a symbolic link")]
#[case::the_state_is_huge("head -c 20m /dev/zero >out/state.json", "out/state.json has 20971520 bytes")]
fn more_tricks_are_refused_with_their_path(#[case] script: &str, #[case] expected: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house.run_script(script, &json!({ "output": { "default_bucket": "out.c-main" } })).failed(1);
    assert_eq!(ran.error_code(), "output_unsafe", "{}", ran.message());
    assert!(ran.message().contains(expected), "{:?} does not say {expected:?}", ran.message());
    house.is_clean();
}

#[rstest]
#[case::of_a_manifest(
    "echo id >out/tables/a.csv; head -c 900k /dev/zero | tr '\\0' '[' >out/tables/a.csv.manifest"
)]
#[case::of_the_state("head -c 900k /dev/zero | tr '\\0' '[' >out/state.json")]
fn a_bottomless_document_is_refused(#[case] script: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house.run_script(script, &json!({ "output": { "default_bucket": "out.c-main" } })).failed(1);
    assert_eq!(ran.error_code(), "output_invalid", "{}", ran.message());
}

#[rstest]
#[case::beside_its_inputs("in/user/big")]
#[case::beside_its_configuration("big")]
fn a_component_cannot_fill_the_disk_from_elsewhere_either(#[case] place: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house.run_script(&format!("head -c 100m /dev/zero >{place}; sleep 20"), &json!({})).failed(1);
    assert_eq!(ran.error_code(), "size_limit", "{}", ran.message());
    house.is_clean();
}

#[test]
fn an_input_linked_into_the_outputs_is_copied() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.a", "id\n1\n");
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
        "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] },
    });
    house.run_script("ln in/tables/a.csv out/tables/t.csv", &storage).succeeded();
    assert_eq!(house.export("out.c-main.t"), "id\n1\n");
    let mut slices = vec![house.path().join(".longshore/blobs/slices")];
    while let Some(path) = slices.pop() {
        if path.is_dir() {
            slices.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert_eq!(fs::metadata(&path).unwrap().nlink(), 1, "{}", path.display());
        }
    }
}

#[test]
fn a_process_that_a_component_leaves_behind_changes_nothing_that_is_published() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "echo id >out/tables/t.csv; setsid sh -c 'while :; do echo 7 >>/data/out/tables/t.csv; done' & sleep 0.3";
    let ran = house.run_script(script, &one_output()).succeeded();
    let rows = ran.document()["output"]["tables"][0]["rows_total"].as_u64().unwrap();
    assert_eq!(house.export("out.c-main.t").lines().count() as u64, rows + 1);
}

#[test]
fn runs_of_one_configuration_take_turns_and_lose_no_update_of_the_state() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script =
        "n=$(tr -dc 0-9 <in/state.json); echo \"{\\\"n\\\":$((${n:-0}+1))}\" >out/state.json; sleep 0.2";
    // All are prepared before the first begins, as they share the configuration's file.
    let mut commands: Vec<Command> = (0..3).map(|_| house.script_command(script, &json!({}), &[])).collect();
    let runs: Vec<Running> = commands.iter_mut().map(Running::start).collect();
    for run in runs {
        run.finish().succeeded();
    }
    let last = house.run_script("cat in/state.json", &json!({})).succeeded();
    assert!(last.stderr.contains("\"n\": 3"), "{}", last.stderr);
}

#[test]
fn gc_takes_nothing_from_under_a_reader_and_everything_after_it() {
    let house = House::new();
    let rows = numbered(400_000, "");
    house.import("in.c-main.t", &format!("id\n{rows}"));
    house.write("more.csv", format!("id\n{rows}"));
    house.call(&["table", "import", "in.c-main.t", "more.csv", "--incremental"]).succeeded();
    let mut reader = Running::start(&mut house.command(&["table", "export", "in.c-main.t"]));
    let mut first = vec![0; 1000];
    reader.read_stdout(&mut first);
    // The reader is held up by its full pipe, within the first of two slices.
    house.call(&["table", "drop", "in.c-main.t"]).succeeded();
    let freed = house.call(&["gc", "--format", "json"]).succeeded();
    let freed: Value = serde_json::from_str(&freed.stdout).unwrap();
    assert_eq!((&freed["blobs"], &freed["kept"]), (&json!(0), &json!(2)));
    let rest = reader.finish().succeeded();
    assert_eq!(first.len() + rest.stdout.len(), 3 + 2 * rows.len());
    let freed: Value =
        serde_json::from_str(&house.call(&["gc", "--format", "json"]).succeeded().stdout).unwrap();
    assert_eq!((&freed["blobs"], &freed["kept"]), (&json!(2), &json!(0)));
}

#[test]
fn gc_keeps_what_a_running_job_has_uploaded_however_old_it_looks() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "echo id >out/tables/t.csv; echo 1 >>out/tables/t.csv; touch -d 1970-01-02 out/tables/t.csv";
    let mut command = house.script_command(script, &one_output(), &["--hold-at", "commit"]);
    let mut running = Running::start(&mut command);
    running.wait_for("holding at commit");
    house.call(&["gc"]).succeeded();
    assert!(!left_in(&house, "blobs/slices").is_empty());
    running.signal("INT");
    running.finish().failed(130);
    assert!(left_in(&house, "blobs/slices").is_empty());
}

#[test]
fn a_project_that_cannot_be_written_is_named() {
    if !is_root() {
        return;
    }
    let house = House::new();
    let closed = house.path().join("closed");
    fs::create_dir(&closed).unwrap();
    for folder in [house.path(), &closed] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_longshore")).args(["table", "ls", "--project"]).arg(&closed);
    let ran = ran(command.current_dir("/").output().unwrap());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("closed/.longshore"), "{}", ran.stderr);
}

/// Only root can become somebody else.
fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

#[test]
fn what_is_kept_for_debugging_is_the_owners_alone() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.run_script("echo half >out/tables/t.csv; exit 1", &json!({})).failed(1);
    house.run_script_with("true", &json!({}), &["--mode", "input"]).succeeded();
    for folder in ["quarantine", "staged"] {
        let mode = fs::metadata(house.path().join(".longshore").join(folder)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{folder} is open to others: {mode:o}");
    }
}
