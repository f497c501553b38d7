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

/// A run of `raw-shell` with a secret, which the script finds in `$s`.
fn run(house: &House, secret: &str, script: &str) -> crate::house::Ran {
    let script = format!("s=$(sed -n 's/.*\"#data\": \"\\(.*\\)\".*/\\1/p' config.json); {script}");
    let configuration = json!({
        "parameters": { "script": script },
        "authorization": { "oauth_api": { "credentials": { "#data": secret } } },
        "storage": { "output": { "default_bucket": "out.c-main" } },
    });
    house.write("task.json", configuration.to_string());
    let spec = fixture("components/raw-shell.yaml");
    house.call(&["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"])
}

#[test]
fn names_with_a_secret_are_hidden_in_the_jobs_document() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "printf 'a\\n1\\n' >out/tables/$s.csv; echo x >out/files/f-$s.txt";
    let ran = run(&house, "swordfish-9000", script).succeeded();
    let document = ran.document();
    assert_eq!(document["status"], "warning");
    assert_eq!(document["output"]["tables"][0]["id"], "out.c-main.[hidden]");
    assert_eq!(document["output"]["files"][0]["name"], "f-[hidden].txt");
    let shown = house.call(&["job", "show", &ran.job()]).succeeded().stdout;
    assert!(!shown.contains("swordfish-9000") && !ran.stdout.contains("swordfish-9000"), "{shown}");
    // Published is what the component wrote.
    assert_eq!(house.export("out.c-main.swordfish-9000"), "a\n1\n");
}

#[test]
fn of_very_many_outputs_with_a_secret_the_first_are_told_and_the_rest_counted() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran =
        run(&house, "swordfish-9000", "for i in $(seq 200); do echo $s >out/files/$i; done").succeeded();
    let message = ran.message();
    assert_eq!(message.lines().count(), 51);
    assert!(message.ends_with("\n150 more outputs hold a secret of the configuration"), "{message}");
}

#[test]
fn more_secrets_than_can_be_masked_are_refused_before_anything_runs() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = run(&house, &"0123456789abcdef".repeat(65_536), "true").failed(1);
    assert_eq!(ran.error_code(), "configuration_invalid");
    let told = "values of 1048576 bytes would have to be masked, which stand under `#` keys of configuration, spec and state";
    assert!(ran.message().contains(told) && ran.message().contains("524288 bytes may"), "{}", ran.message());
}
