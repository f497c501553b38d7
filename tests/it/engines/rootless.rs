//! A rootless engine: a daemon of somebody who is not root, in namespaces of his own.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::place::Place;
use super::{DOCKERD, can_start_engines};
use crate::house::{House, Ran, fixture, has_engine, ran};

/// `nobody` of every Linux, whose engine this is.
const NOBODY: u32 = 65534;

/// `$1` is the engine's folder, the rest the daemon's command line. A machine gives nobody no ids beside his own, so he gets
/// some here, by mounts that only these processes see. A network namespace without a way out stands in for rootlesskit's
/// network drivers: the test wants no network, and slirp4netns needs a device that he may not open everywhere. The links that
/// rootlesskit makes of `/run` would lead to what the usual engine keeps there.
///
/// This shell is the first process of a PID namespace. When its standard input is closed, were it by the death of the test, it
/// ends, and everything in there with it.
const START: &str = r#"
    folder=$1; shift
    echo 'nobody:1000000:65536' >"$folder/ids"
    for list in /etc/subuid /etc/subgid; do
        touch -a $list && mount --bind "$folder/ids" $list || exit
    done
    export HOME="$folder" XDG_RUNTIME_DIR="$folder"
    setpriv --reuid nobody --regid nogroup --clear-groups \
        rootlesskit --state-dir="$folder/kit" --copy-up=/etc --copy-up=/run --propagation=rslave \
        sh -c 'rm -f /run/docker /run/containerd /run/xtables.lock; exec unshare --net "$@"' - "$@" </dev/null &
    read -r _end
"#;

struct Rootless {
    place: Place,
    daemon: Child,
}

impl Rootless {
    fn start() -> Self {
        let place = Place::new();
        chown(place.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut daemon = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", START, "-"])
            .arg(place.path())
            .arg(DOCKERD)
            .args(place.options())
            // Layers as plain copies are possible on each file system. Without a session of systemd there are no cgroups for
            // him, and cgroupfs is how he says that he does not ask for any.
            .args(["--storage-driver=vfs", "--exec-opt=native.cgroupdriver=cgroupfs"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(place.log())
            .spawn()
            .unwrap();
        place.wait_until_it_answers(&mut daemon);
        Self { place, daemon }
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        drop(self.daemon.stdin.take());
        self.daemon.wait().ok();
    }
}

/// A call of the program by the user of the engine, as a rootless engine is meant to be used.
fn call(house: &House, arguments: &[&str]) -> Ran {
    let mut command = house.command(arguments);
    ran(command.uid(NOBODY).gid(NOBODY).env("HOME", house.path()).output().unwrap())
}

#[test]
fn under_a_rootless_engine_root_inside_is_its_user_outside_and_the_job_says_what_is_not_limited() {
    if !has_engine() || !can_start_engines(&[DOCKERD, "/usr/bin/rootlesskit", "/usr/bin/newuidmap"]) {
        return;
    }
    let engine = Rootless::start();
    engine.place.bring("longshore-test/raw-shell:1");
    let house = House::new();
    chown(house.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    house.write("longshore.yaml", json!({ "engine_host": engine.place.host() }).to_string());
    house.write("a.csv", "id\n1\n");
    call(&house, &["table", "import", "in.c-main.a", "a.csv"]).succeeded();
    let script = "set -e; cp in/tables/a.csv out/tables/b.csv; set -- $(head -n 1 /proc/self/uid_map); \
                  echo \"I am $(id -u), who is $2, with $(stat -c %u out/tables/b.csv)'s file\"";
    let task = json!({
        "parameters": { "script": script },
        "storage": {
            "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
            "output": { "tables": [{ "source": "b.csv", "destination": "out.c-main.b" }] },
        },
    });
    house.write("task.json", task.to_string());
    let spec = fixture("components/raw-shell.yaml");
    let run = ["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"];
    let ran = call(&house, &run).succeeded();
    let document = ran.document();
    assert_eq!(document["status"], "success");
    assert_eq!(document["isolation"]["ids"], "rootless");
    let notice = "this engine does not limit memory, swap, processors, processes: a component can take the whole machine \
                  (a rootless engine needs cgroup v2 and systemd)";
    assert_eq!(document["notices"], json!([notice]));
    assert_eq!(call(&house, &["table", "export", "out.c-main.b"]).succeeded().stdout, "id\n1\n");
    let log = call(&house, &["job", "log", &ran.job()]).succeeded().stdout;
    assert!(log.contains("I am 0, who is 65534, with 0's file"), "{log}");
    assert_eq!(fs::read_dir(house.path().join(".longshore/work")).unwrap().count(), 0);
    assert_eq!(engine.place.containers(), [""; 0]);
}
