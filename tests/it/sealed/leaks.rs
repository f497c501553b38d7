//! Components that give their secrets away, in outputs or by all other means.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{configuration, holds_nothing, house, sealed, stored_file};
use crate::house::{docker, has_engine, ran};

#[test]
fn outputs_with_a_secret_are_published_with_a_warning_or_blocked_or_left_alone() {
    if !has_engine() {
        return;
    }
    let house = house();
    let script = "s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); printf 'a\\nx\\n%s\\n' $s >out/tables/t.csv; \
        printf '{\"metadata\": [{\"key\": \"k\", \"value\": \"'$s'\"}]}' >out/tables/t.csv.manifest; \
        printf %s $s | base64 >out/files/note; echo '{\"seen\": \"'$s'\", \"#kept\": \"'$s'\"}' >out/state.json";
    let credentials = json!({ "#token": "leaked-token-9000", "#short": "x" });
    let mut configuration = configuration(script, &credentials);
    configuration["storage"] =
        json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] } });
    house.write("task.json", configuration.to_string());
    let run = |policy: &str| {
        house.write("longshore.yaml", format!("secrets: {{in_outputs: {policy}}}\n"));
        house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"])
    };
    let expected = [
        "out/files/note holds a secret of the configuration, first on line 1",
        "out/tables/t.csv holds a secret of the configuration, first on line 3",
        "out/tables/t.csv.manifest holds a secret of the configuration, first on line 1",
        "the state holds a secret of the configuration outside of `#` keys",
    ];
    let blocked = run("block").failed(3);
    let lines: Vec<String> = blocked.message().lines().map(str::to_owned).collect();
    assert_eq!(lines.get(..4).unwrap(), expected, "{}", blocked.message());
    assert_eq!((blocked.error_code().as_str(), house.versions("out.c-main.t")), ("secret_in_output", vec![]));
    assert!(!house.path().join(".longshore/quarantine").exists(), "nothing of it is kept");
    holds_nothing(&house, "leaked-token-9000");

    let warned = run("warn").succeeded();
    let document = warned.document();
    assert_eq!((&document["status"], &document["message"]), (&json!("warning"), &json!(expected.join("\n"))));
    assert_eq!(document["notices"], json!(expected));
    assert!(!warned.stderr.contains("leaked-token"), "{}", warned.stderr);
    assert_eq!(house.versions("out.c-main.t"), [1]);

    let ignored = run("ignore").succeeded();
    assert_eq!(ignored.document()["status"], "success");
    assert_eq!(house.versions("out.c-main.t"), [2, 1]);
}

#[test]
fn a_secret_is_found_in_slices_names_and_keys_and_not_where_it_may_be() {
    if !has_engine() {
        return;
    }
    let house = house();
    let get = "s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); ";
    let with_token = |token: &str, script: &str, storage: &Value| {
        let credentials = json!({ "#token": token });
        let mut configuration = configuration(&format!("{get}{script}"), &credentials);
        configuration["storage"] = storage.clone();
        house.write("task.json", configuration.to_string());
        house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"])
    };
    let task = |script: &str, storage: &Value| with_token("leaked-token-9000", script, storage);
    let storage = json!({ "output": { "tables": [{ "source": "t", "destination": "out.c-main.t", "columns": ["a"] }] } });
    let script = "mkdir out/tables/t; echo 1 >out/tables/t/1; printf '2\\n%s\\n' $s >out/tables/t/2; \
                  echo x >out/files/of-$s; echo '{\"'$s'\": 1}' >out/state.json";
    house.write("longshore.yaml", "secrets: {in_outputs: block}\n");
    let blocked = task(script, &storage).failed(3);
    let mut found: Vec<String> = blocked.message().lines().map(str::to_owned).collect();
    found.sort_unstable();
    assert_eq!(
        found.get(..4).unwrap(),
        [
            "nothing was published or kept, as `secrets.in_outputs: block` has it",
            "out/files/of-[hidden] has a secret of the configuration in its name",
            "out/tables/t/2 holds a secret of the configuration, first on line 2",
            "the state holds a secret of the configuration outside of `#` keys",
        ]
    );
    // An archive of the outputs would keep what is not to be kept.
    let debug = ["run", "raw-shell", "--config", "task.json", "--mode", "debug", "--format", "json"];
    let archived = house.call(&debug).failed(3);
    assert_eq!(archived.document()["archives"].as_array().unwrap().len(), 1, "{}", archived.stderr);
    assert!(archived.stderr.contains("there is no archive of the outputs"), "{}", archived.stderr);
    // A component may remember its own secret where it is encrypted.
    task("echo '{\"#mine\": {\"deep\": [\"'$s'\"]}}' >out/state.json", &json!({})).succeeded();
    // So short a word is met by chance.
    with_token("prague7", "echo $s >out/files/city", &json!({})).succeeded();
    assert_eq!(stored_file(&house, "city"), "prague7\n");
    let failed = "printf 'a\\n%s\\n' $s >out/tables/t; exit 1";
    let always = json!({ "output": { "tables": [
        { "source": "t", "destination": "out.c-main.t", "write_always": true }
    ] } });
    let ran = task(failed, &always).failed(1);
    assert!(ran.stderr.contains("tables marked write_always were not published"), "{}", ran.stderr);
    assert_eq!(house.versions("out.c-main.t"), Vec::<u64>::new());
    holds_nothing(&house, "leaked-token-9000");
}

/// Says and leaves its secret in every way that comes to mind.
const LEAKS: &str = "cd /data; s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); \
    echo $s; echo $s >&2; printf '{\"level\": \"error\", \"message\": \"%s\"}\\n' $s; echo $s | base64; \
    printf %s $s | cut -c1-9 | tr -d '\\n'; sleep 0.1; printf %s\\\\n $s | cut -c10-; \
    echo '{\"#kept\": \"'$s'\"}' >out/state.json; cat config.json; ";

#[test]
fn nothing_of_a_secret_stays_after_a_run_that_tries_to_leak_it() {
    if !has_engine() {
        return;
    }
    for (mode, end) in
        [("run", "exit 0"), ("run", "exit 1"), ("run", "exit 2"), ("debug", "exit 0"), ("debug", "exit 1")]
    {
        let house = house();
        let table = "printf 'a\\n%s\\n' $s >out/tables/t.csv; ";
        let value = "leaked-token-9000";
        let credentials = json!({ "#token": sealed(&house, "raw-shell", Some("task"), value) });
        let mut configuration = configuration(&format!("{LEAKS}{table}sleep 1; {end}"), &credentials);
        configuration["storage"] =
            json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] } });
        house.write("longshore.yaml", "secrets: {in_outputs: block}\n");
        house.write("task.json", configuration.to_string());
        let arguments = ["run", "raw-shell", "--config", "task.json", "--mode", mode, "--format", "json"];
        let mut child =
            house.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut seen = Vec::new();
        while child.try_wait().unwrap().is_none() {
            seen.extend(command_lines());
            for container in listed_containers() {
                seen.push(inspected(&container));
            }
        }
        let ran = ran(child.wait_with_output().unwrap());
        assert_ne!(ran.code, 0, "{mode} {end}: {}", ran.stderr);
        let own = seen.iter().filter(|text| text.contains(&ran.job())).count();
        assert!(own > 0, "the container was not seen once");
        for needle in needles(value) {
            let leak = seen.iter().find(|text| text.contains(&needle));
            assert_eq!(leak, None, "{mode} {end}: on a command line or in a description");
            for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
                assert!(!text.contains(&needle), "{mode} {end}: {what}: {text}");
            }
            holds_nothing(&house, &needle);
        }
        let log = house.call(&["job", "log", &ran.job()]).succeeded().stdout;
        assert!(log.contains("[hidden]"), "{log}");
        house.is_clean();
    }
}

/// The secret and its base64, whatever stands before it.
fn needles(value: &str) -> Vec<String> {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(value);
    vec![value.to_owned(), encoded.get(..20).unwrap().to_owned()]
}

/// What `ps` would show of every process.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

fn listed_containers() -> Vec<String> {
    let listed = docker(&["ps", "--all", "--quiet", "--filter", "label=longshore.job"]);
    listed.lines().map(str::to_owned).collect()
}

/// A container may be gone before it is asked for.
fn inspected(container: &str) -> String {
    let output = Command::new("docker").args(["inspect", container]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
