//! Engines that are the test's own: of another kind than the usual one, or to be restarted under a job.

mod place;
mod rootless;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use self::place::Place;
use crate::house::{House, has_engine};
use crate::service::{HOLDS, Port, Worker, append, eventually, is_served};

const DOCKERD: &str = "/usr/sbin/dockerd";

/// A second engine on this machine, with a bridge of its own. (An engine that is told to have no bridge removes the usual
/// engine's.)
struct OwnEngine {
    place: Place,
    bridge: String,
    options: &'static [&'static str],
    daemon: Child,
}

impl OwnEngine {
    fn start(options: &'static [&'static str]) -> Self {
        let place = Place::new();
        // Names of devices have at most 15 characters.
        let bridge = format!("lsown{:x}", std::process::id());
        ip(&["link", "add", &bridge, "type", "bridge"]);
        let daemon = spawn(&place, &bridge, options);
        let mut engine = Self { place, bridge, options, daemon };
        engine.place.wait_until_it_answers(&mut engine.daemon);
        engine
    }

    /// Asks the daemon to end, which takes its containers along, and waits until it is gone.
    fn stop(&mut self) {
        kill_process(Pid::from_child(&self.daemon), Signal::TERM).unwrap();
        self.daemon.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.daemon = spawn(&self.place, &self.bridge, self.options);
        self.place.wait_until_it_answers(&mut self.daemon);
    }

    /// Lets every component that holds go on; see [`HOLDS`].
    fn let_go(&self) {
        for container in self.place.containers() {
            // One that is not running has nobody to tell.
            let touch = ["exec", &container, "touch", "/tmp/go"];
            self.place.docker(&touch).stderr(Stdio::null()).status().unwrap();
        }
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        // Asked to end it lets go of its mounts, so that its folder can be removed.
        kill_process(Pid::from_child(&self.daemon), Signal::TERM).ok();
        self.daemon.wait().ok();
        ip(&["link", "delete", &self.bridge]);
    }
}

fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().unwrap().success(), "ip {arguments:?}");
}

fn spawn(place: &Place, bridge: &str, options: &[&str]) -> Child {
    Command::new(DOCKERD)
        .args(place.options())
        .args(["--bridge", bridge])
        .args(options)
        .stdout(Stdio::null())
        .stderr(place.log())
        .spawn()
        .unwrap()
}

/// Only root can start an engine that is not the usual one, and each kind needs programs of its own.
fn can_start_engines(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| !Path::new(program).exists());
    if rustix::process::geteuid().is_root() && missing.is_none() {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "no engine of our own can be started: that takes root and {programs:?}");
    eprintln!("SKIP (not root, or no {missing:?}): {:?}", std::thread::current().name());
    false
}

#[test]
fn under_user_namespaces_a_component_owns_its_data_folder_and_is_nobody_outside() {
    if !has_engine() || !can_start_engines(&[DOCKERD]) {
        return;
    }
    let engine = OwnEngine::start(&["--userns-remap=default"]);
    engine.place.bring("longshore-test/raw-shell:1");
    let house = House::new();
    house.write("longshore.yaml", json!({ "engine_host": engine.place.host() }).to_string());
    house.import("in.c-main.a", "id\n1\n");
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
        "output": { "tables": [{ "source": "b.csv", "destination": "out.c-main.b" }] },
    });
    // The first id outside is the second word of the map's first line; root of the host is not in the map.
    let script = "set -e; cp in/tables/a.csv out/tables/b.csv; set -- $(head -n 1 /proc/self/uid_map); \
                  [ $2 -gt 0 ] && echo \"$(stat -c %u out/tables/b.csv) is mine\"";
    let ran = house.run_script(script, &storage).succeeded();
    assert_eq!(ran.document()["status"], "success");
    assert_eq!(house.export("out.c-main.b"), "id\n1\n");
    let log = house.call(&["job", "log", &ran.job()]).succeeded().stdout;
    assert!(log.contains(" is mine"), "{log}");
    assert_eq!(fs::read_dir(house.path().join(".longshore/work")).unwrap().count(), 0);
}

/// The job runs again, because what it had done was gone with its container; nothing is published twice.
#[test]
fn a_job_outlives_a_restart_of_its_engine() {
    if !is_served() || !can_start_engines(&[DOCKERD]) {
        return;
    }
    let mut engine = OwnEngine::start(&[]);
    engine.place.bring("longshore-test/raw-shell:1");
    let port = Port::open(&json!({}));
    let machine = port.machine(|settings| {
        settings["engine_host"] = json!(engine.place.host());
        settings["engine_patience"] = json!("5m");
    });
    let _worker = Worker::on(machine);
    port.orchestrator.publish(&[append("job", HOLDS, 1)]);
    port.hears("job", "begun");
    engine.stop();
    engine.start_again();
    let document = eventually("the job succeeds", || {
        engine.let_go();
        Some(port.job("job").document()).filter(|document| document["status"] == "success")
    });
    assert_eq!(document["attempt"], 2, "{document}");
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
    eventually("nothing is left", || engine.place.containers().is_empty().then_some(()));
}
