//! A secret of the configuration reaches the component and nothing else.

use serde_json::json;

use crate::house::{House, docker, fixture, has_engine};

#[test]
fn a_secret_is_in_no_event_no_log_no_message_and_no_label() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "grep -o 'swordfish-9000' config.json | head -n 1; printf 'sword' >&2; sleep 0.2; echo 'fish-9000' >&2; echo swordfish-9000 | base64; exit 1";
    let configuration = json!({
        "parameters": { "script": script },
        "authorization": { "oauth_api": { "credentials": { "#data": "swordfish-9000" } } },
    });
    house.write("task.json", configuration.to_string());
    // The script itself names the secret in plain words, so it may lie in the configuration alone.
    let spec = fixture("components/raw-shell.yaml");
    let ran =
        house.call(&["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"]).failed(1);
    assert!(ran.stderr.contains("[hidden]"), "{}", ran.stderr);
    for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        assert!(!text.contains("swordfish-9000") && !text.contains("c3dvcmRmaXNoLTkwMD"), "{what}: {text}");
    }
    let log = house.call(&["job", "log", &ran.job()]).succeeded().stdout;
    // Between the two streams the engine keeps no order.
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[hidden]", "[hidden]", "[hidden]AK"]);
    let needle = b"swordfish-9000";
    assert!(
        !house.all_bytes().windows(needle.len()).any(|window| window == needle),
        "it is in the project's data"
    );
}

#[test]
fn a_secret_is_not_in_the_containers_description() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let configuration = json!({
        "parameters": { "script": "true" },
        "authorization": { "oauth_api": { "credentials": { "#data": "swordfish-9000" } } },
    });
    house.write("task.json", configuration.to_string());
    let spec = fixture("components/raw-shell.yaml");
    let arguments = ["run", spec.to_str().unwrap(), "--config", "task.json", "--hold-at", "run"];
    let mut child = house
        .command(&arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    while !said.contains("holding at run") {
        assert!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0, "{said}");
    }
    let containers = house.containers();
    assert_eq!(containers.len(), 1);
    assert!(!docker(&["inspect", &containers[0]]).contains("swordfish-9000"));
    let process = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&process).contains("swordfish"));
    child.kill().unwrap();
    child.wait().unwrap();
    house.call(&["job", "ls"]).succeeded();
    house.is_clean();
}
