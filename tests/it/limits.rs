//! What a run may use: who says so, how far anybody may go, and how it is told.

use serde_json::{Value, json};

use crate::house::{House, Ran, has_engine, ran};

/// Runs a script with these resources in the spec and this `runtime` in the configuration.
fn run(house: &House, resources: &Value, runtime: &Value, script: &str, environment: &[(&str, &str)]) -> Ran {
    let spec = json!({
        "id": "sized",
        "image": { "uri": "longshore-test/raw-shell", "tag": "1" },
        "network": "none",
        "resources": resources,
    });
    house.write("sized.json", spec.to_string());
    let task = json!({ "parameters": { "script": script }, "runtime": runtime });
    house.write("task.json", task.to_string());
    let mut command = house.command(&["run", "./sized.json", "--config", "task.json", "--format", "json"]);
    ran(command.envs(environment.iter().copied()).output().unwrap())
}

#[test]
fn a_configuration_asks_for_a_size_and_the_document_says_where_each_limit_came_from() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; ulimit -f";
    let runtime = json!({ "backend": { "type": "medium", "context": "x" }, "process_timeout": 30 });
    let environment = [("LONGSHORE_PRESETS_MEDIUM_MEMORY", "192m")];
    let resources = json!({ "preset": "xsmall", "pids": 99, "disk": "1g" });
    let ended = run(&house, &resources, &runtime, script, &environment).succeeded();
    let medium = "preset medium of the configuration's `runtime.backend.type`";
    assert_eq!(
        ended.document()["limits"],
        json!({
            "cpus": { "value": 2.0, "origin": medium },
            "disk_bytes": { "value": 1_073_741_824, "origin": "`resources.disk` of the spec (sized.json:1)" },
            "memory_bytes": {
                "value": 201_326_592,
                "origin": format!("{medium} (`presets.medium.memory` in the settings)"),
            },
            "pids": { "value": 99, "origin": "`resources.pids` of the spec (sized.json:1)" },
            "timeout_seconds": { "value": 30, "origin": "`runtime.process_timeout` of the configuration" },
            "tmp_bytes": { "value": 1_073_741_824, "origin": medium },
        })
    );
    // The container has them too: 192 MiB, and files of 1 GiB in blocks of 512 bytes.
    let log = house.call(&["job", "log", &ended.job()]).succeeded().stdout;
    assert!(log.contains("201326592") && log.contains("2097152"), "{log}");
    house.is_clean();
}

#[test]
fn a_size_that_is_not_known_here_is_noticed_and_the_component_runs_with_its_own() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ended = run(&house, &json!({}), &json!({ "backend": { "type": "2XL" } }), "true", &[]).succeeded();
    let document = ended.document();
    let notice = document["notices"][0].as_str().unwrap();
    assert!(
        notice.contains("\"2XL\"") && notice.contains("xsmall, small, medium, large, xlarge"),
        "{notice}"
    );
    assert_eq!(document["limits"]["memory_bytes"]["origin"], "the default preset small");
}

#[test]
fn a_job_over_the_ceilings_is_refused_with_both_origins_before_anything_is_done() {
    let house = House::new();
    let environment = [
        ("LONGSHORE_CEILINGS_MEMORY", "512m"),
        ("LONGSHORE_CEILINGS_CPUS", "1"),
        ("LONGSHORE_CEILINGS_TIMEOUT", "10m"),
        ("LONGSHORE_CEILINGS_DISK", "20g"),
        ("LONGSHORE_ENGINE_HOST", "unix:///nowhere"),
    ];
    let runtime = json!({ "backend": { "type": "large" }, "process_timeout": 3600 });
    let resources = json!({ "preset": "xsmall", "memory": "600m" });
    let refused = run(&house, &resources, &runtime, "true", &environment).failed(1);
    let told: Vec<&str> = refused.stderr.lines().filter(|line| line.contains("ceiling")).collect();
    assert_eq!(told.len(), 4, "{}", refused.stderr);
    for words in [
        "sized.json:1:",
        "memory limit 600 MiB, from `resources.memory` of the spec (sized.json:1), is over the ceiling of 512 MiB, from \
         `ceilings.memory` in the settings (lower `resources.memory` in the spec, or have the ceiling raised)",
        "runtime.backend.type: processor limit 4 processors, from preset large of the configuration's \
         `runtime.backend.type`, is over the ceiling of 1 processor,",
        "disk limit 50 GiB",
        "runtime.process_timeout: time limit 3600 s, from `runtime.process_timeout` of the configuration, is over the \
         ceiling of 600 s",
    ] {
        assert!(refused.stderr.contains(words), "{words:?} is not in\n{}", refused.stderr);
    }
    let check = house
        .command(&["component", "check", "./sized.json", "--config", "task.json"])
        .envs(environment)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&check.stderr).matches("is over the ceiling of").count(), 4);
}

#[test]
fn more_processors_than_the_machine_has_are_all_that_it_has() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ended = run(&house, &json!({ "cpus": 1024 }), &json!({}), "true", &[]).succeeded();
    assert_eq!(ended.document()["limits"]["cpus"]["value"], 1024.0);
}

#[test]
fn the_limits_of_a_component_that_is_not_known_here_are_left_to_the_worker() {
    let house = House::new();
    house.write("task.yaml", "parameters: {script: 'true'}\n");
    let mut put = house.command(&["config", "put", "elsewhere", "task", "task.yaml"]);
    let put = ran(put.env("LONGSHORE_CEILINGS_MEMORY", "64m").output().unwrap()).succeeded();
    assert!(put.stderr.contains("not checked here, the worker will"), "{}", put.stderr);
}

#[test]
fn a_spec_file_is_not_taken_for_the_id_of_a_component() {
    let house = House::new();
    house.write("sized.yaml", "id: sized\nimage: {uri: localhost:9/nowhere, tag: '1'}\n");
    let refused = house.call(&["submit", "sized.yaml"]).failed(1);
    let said = "sized.yaml is a file; expected the id of a component, here sized";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}
