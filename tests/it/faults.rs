//! The world fails: the engine refuses or falls silent at a chosen call, somebody meddles with the container, a disk
//! is full. Each ends once, in its class, with nothing half-published and nothing left behind.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, NO_VERSIONS, Ran, docker, fixture, has_engine, numbered, ran};
use crate::running::Running;

const ENGINE: &str = "/var/run/docker.sock";

/// What happens to the requests that begin so.
#[derive(Debug, Clone, Copy)]
struct Fault {
    method: &'static str,
    /// Part of the target.
    target: &'static str,
    what: What,
    /// How many of them.
    times: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Refuse,
    /// The engine never hears of it.
    HangUp,
    /// The engine does it and its answer gets lost.
    HangUpAfter,
}

/// An engine's socket with a fault. The threads end with the test's process.
fn faulty_engine(house: &House, fault: Fault) -> String {
    let path = house.path().join("engine.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let hits = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, hits) = (client.unwrap(), Arc::clone(&hits));
            // Either side may hang up at any time; the other then notices by itself.
            std::thread::spawn(move || drop(carry(client, fault, &hits)));
        }
    });
    format!("unix://{}", path.display())
}

fn carry(mut client: UnixStream, fault: Fault, hits: &AtomicUsize) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(ENGINE)?;
    let (mut answers, mut asker) = (engine.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        drop(std::io::copy(&mut answers, &mut asker));
        drop(asker.shutdown(Shutdown::Both));
    });
    let mut request = vec![0; 64 << 10];
    loop {
        let length = client.read(&mut request)?;
        if length == 0 {
            return engine.shutdown(Shutdown::Write);
        }
        let piece = &request[..length];
        let line = String::from_utf8_lossy(piece).lines().next().unwrap_or_default().to_owned();
        let is_meant = line.starts_with(fault.method) && line.contains(fault.target);
        if !is_meant || hits.fetch_add(1, Ordering::SeqCst) >= fault.times {
            engine.write_all(piece)?;
            continue;
        }
        match fault.what {
            What::Refuse => client.write_all(
                b"HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{\"message\":\"no\"}",
            )?,
            What::HangUp => {}
            What::HangUpAfter => {
                let mut unheard = UnixStream::connect(ENGINE)?;
                unheard.write_all(piece)?;
                unheard.read_exact(&mut [0])?;
            }
        }
        client.shutdown(Shutdown::Both)?;
        return engine.shutdown(Shutdown::Both);
    }
}

fn storage() -> Value {
    json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] } })
}

fn run_with(house: &House, fault: Fault) -> Ran {
    let mut command = house.script_command("echo hello; echo id >out/tables/t.csv", &storage(), &[]);
    ran(command.env("LONGSHORE_ENGINE_HOST", faulty_engine(house, fault)).output().unwrap())
}

#[rstest]
#[case::create_is_refused("POST", "/containers/create", What::Refuse)]
#[case::create_breaks_off("POST", "/containers/create", What::HangUp)]
#[case::create_is_done_unheard("POST", "/containers/create", What::HangUpAfter)]
#[case::start_is_refused("POST", "/start", What::Refuse)]
#[case::start_breaks_off("POST", "/start", What::HangUp)]
#[case::wait_is_refused("POST", "/wait", What::Refuse)]
#[case::every_question_is_refused("GET", "/json", What::Refuse)]
fn an_engine_that_fails_at_a_call_fails_the_job_and_nothing_is_left(
    #[case] method: &'static str,
    #[case] target: &'static str,
    #[case] what: What,
) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = run_with(&house, Fault { method, target, what, times: usize::MAX }).failed(4);
    assert!(
        ["engine_failed", "image_unavailable"].contains(&ran.error_code().as_str()),
        "{}",
        ran.error_code()
    );
    assert_eq!(house.versions("out.c-main.t"), NO_VERSIONS);
    house.is_clean();
}

#[rstest]
#[case::start_is_done_unheard("POST", "/start", What::HangUpAfter)]
#[case::the_log_breaks_off("GET", "/logs", What::HangUp)]
#[case::the_log_is_refused_once("GET", "/logs", What::Refuse)]
fn an_engine_that_fails_once_where_it_can_be_asked_again_fails_nothing(
    #[case] method: &'static str,
    #[case] target: &'static str,
    #[case] what: What,
) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = run_with(&house, Fault { method, target, what, times: 1 }).succeeded();
    assert_eq!(house.call(&["job", "log", &ran.job()]).succeeded().stdout, "hello\n");
    assert_eq!(house.versions("out.c-main.t"), [1]);
    house.is_clean();
}

#[rstest]
#[case::refused(What::Refuse)]
#[case::broken_off(What::HangUp)]
fn a_container_that_the_engine_would_not_remove_is_removed_by_the_next_command(#[case] what: What) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    run_with(&house, Fault { method: "DELETE", target: "/containers/", what, times: usize::MAX }).succeeded();
    let next = house.call(&["job", "ls"]).succeeded();
    assert!(next.stderr.contains("1 containers"), "{}", next.stderr);
    house.is_clean();
}

#[rstest]
#[case::killed(&["kill"], 3, "component_failed")]
#[case::removed(&["rm", "--force"], 4, "engine_failed")]
fn a_container_that_somebody_else_ends_fails_the_job(
    #[case] verb: &[&str],
    #[case] code: i32,
    #[case] expected: &str,
) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "echo id >out/tables/t.csv; echo begun; sleep 25";
    let mut running = Running::start(&mut house.script_command(script, &storage(), &[]));
    running.wait_for("begun");
    let name = house.containers().remove(0);
    docker(&[verb, &[name.as_str()]].concat());
    let ended = running.finish().failed(code);
    assert_eq!(ended.error_code(), expected);
    assert_eq!(house.call(&["job", "log", &ended.job()]).succeeded().stdout, "begun\n", "the log so far");
    assert_eq!(house.versions("out.c-main.t"), NO_VERSIONS);
    house.is_clean();
}

#[test]
fn a_container_that_somebody_has_paused_can_still_be_stopped() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let mut running = Running::start(&mut house.script_command("echo begun; sleep 25", &json!({}), &[]));
    running.wait_for("begun");
    docker(&["pause", &house.containers().remove(0)]);
    running.signal("INT");
    running.finish().failed(130);
    house.is_clean();
}

/// A small disk of its own; `None` (and a word about it) where we may not mount.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    pub(crate) fn at(path: PathBuf, megabytes: u32) -> Option<Self> {
        Self::with(path, megabytes, "")
    }

    /// `more` are further options of the mount, with a comma before each.
    pub(crate) fn with(path: PathBuf, megabytes: u32, more: &str) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={megabytes}m{more}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        eprintln!("SKIP (may not mount a small disk): {:?}", std::thread::current().name());
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

/// A run whose state lies on a small disk.
fn run_on(house: &House, disk: &Path, script: &str, storage: &Value) -> Ran {
    let mut command = house.script_command(script, storage, &[]);
    ran(command.env("LONGSHORE_STATE_DIR", disk).output().unwrap())
}

fn call_on(house: &House, disk: &Path, arguments: &[&str]) -> Ran {
    ran(house.command(arguments).env("LONGSHORE_STATE_DIR", disk).output().unwrap())
}

#[rstest]
#[case::while_inputs_are_staged("true")]
#[case::while_the_component_writes("head -c 30m /dev/zero >out/files/x")]
#[case::while_the_component_writes_and_takes_it_lightly("head -c 30m /dev/zero >out/files/x; true")]
#[case::while_the_component_speaks("yes 123456789012345678901234567890123456789012345678901234567890")]
fn a_full_disk_is_the_platforms_and_the_project_goes_on_afterwards(#[case] script: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let Some(disk) = SmallDisk::at(house.path().join("disk"), 12) else { return };
    let rows = numbered(500_000, ",a text");
    let file = house.write("rows.csv", format!("id,text\n{rows}"));
    call_on(&house, &disk.0, &["table", "import", "in.c-main.a", file.to_str().unwrap()]).succeeded();
    let inputs = json!({ "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] });
    let storage = if script == "true" { json!({ "input": inputs }) } else { json!({}) };
    let ended = run_on(&house, &disk.0, script, &storage).failed(4);
    assert_eq!(ended.error_code(), "disk_full", "{}", ended.document());
    let jobs = call_on(&house, &disk.0, &["job", "ls", "--format", "json"]).succeeded();
    assert!(jobs.stderr.is_empty() && jobs.stdout.contains("disk_full"), "{}{}", jobs.stdout, jobs.stderr);
    let script = "echo id >out/tables/t.csv";
    run_on(&house, &disk.0, script, &json!({ "output": { "default_bucket": "out.c-main" } })).succeeded();
}

#[test]
fn an_import_onto_a_full_disk_leaves_nothing() {
    let house = House::new();
    let Some(disk) = SmallDisk::at(house.path().join("disk"), 8) else { return };
    let rows = numbered(900_000, ",a text");
    let file = house.write("rows.csv", format!("id,text\n{rows}"));
    let import = ["table", "import", "in.c-main.a", file.to_str().unwrap()];
    let ended = call_on(&house, &disk.0, &import).failed(4);
    assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
    let small = house.write("small.csv", "id\n1\n");
    call_on(&house, &disk.0, &["table", "import", "in.c-main.a", small.to_str().unwrap()]).succeeded();
}

#[test]
fn an_engine_that_may_not_be_used_is_told_with_a_remedy() {
    if !has_engine() || !Command::new("setpriv").arg("--version").output().is_ok_and(|it| it.status.success())
    {
        return;
    }
    let house = House::new();
    house.write("task.json", "{\"parameters\": {\"script\": \"true\"}}");
    let spec = std::fs::read(fixture("components/raw-shell.yaml")).unwrap();
    let spec = house.write("raw-shell.yaml", spec);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(house.path(), open).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_longshore")).arg("run").arg(spec).args(["--config", "task.json"]);
    let ran = ran(command.arg("--project").arg(house.path()).current_dir(house.path()).output().unwrap());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("join the group"), "{}", ran.stderr);
}
