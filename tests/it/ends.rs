//! Every way a run can end: the right class, message and exit code, and nothing left behind.

use serde_json::json;

use crate::house::{House, NO_VERSIONS, fixture, has_engine, ran};
use crate::running::Running;

#[test]
fn a_clean_end_publishes_and_exits_with_0() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.numbers", "id,name\n1,one\n2,\"two, or more\"\n");
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.numbers", "destination": "numbers.csv" }] },
        "output": { "tables": [{ "source": "copy.csv", "destination": "out.c-main.copy" }] },
    });
    let ran =
        house.run_script("cp in/tables/numbers.csv out/tables/copy.csv; echo done", &storage).succeeded();
    assert_eq!(house.export("out.c-main.copy"), "id,name\n1,one\n2,\"two, or more\"\n");
    let document = ran.document();
    assert_eq!(document["status"], "success");
    assert_eq!(document["input"]["tables"][0]["version"], 1);
    let output = &document["output"]["tables"][0];
    assert_eq!(
        (&output["id"], &output["version"], &output["rows_loaded"]),
        (&json!("out.c-main.copy"), &json!(1), &json!(2))
    );
    house.is_clean();
}

#[test]
fn the_result_document_says_what_is_needed_to_repeat_the_run() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.a", "id\n1\n");
    house.import("in.c-main.a", "id\n1\n2\n");
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.a", "destination": "a.csv" }] },
        "output": { "tables": [{ "source": "b.csv", "destination": "out.c-main.b" }] },
    });
    let ran = house.run_script("cp in/tables/a.csv out/tables/b.csv", &storage).succeeded();
    let document = ran.document();
    let is_sha256 = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.len() == 64);
    assert!(is_sha256(&document["component"]["spec_sha256"]), "{document}");
    assert!(is_sha256(&document["configuration"]["sha256"]), "{document}");
    assert!(document["image"]["id"].as_str().unwrap().starts_with("sha256:"), "{document}");
    assert_eq!(document["image"]["reference"], "longshore-test/raw-shell:1");
    assert_eq!(document["input"]["tables"][0]["version"], 2);
    assert_eq!(document["output"]["tables"][0]["rows_total"], 2);
    assert!(document["usage"]["memory_peak_bytes"].as_u64().unwrap() > 0, "{document}");
    assert_eq!(document["usage"]["memory_limit_bytes"], 64 << 20);
    let phases: Vec<&str> =
        document["phases"].as_array().unwrap().iter().map(|part| part["phase"].as_str().unwrap()).collect();
    for phase in
        ["resolve", "image", "stage", "create", "start", "run", "drain", "collect", "upload", "commit"]
    {
        assert!(phases.contains(&phase), "{phase} is missing in {phases:?}");
    }
    // `job show` prints the same document.
    let shown = house.call(&["job", "show", &ran.job()]).succeeded().document();
    assert_eq!(shown["output"], document["output"]);
    assert_eq!(shown["image"], document["image"]);
}

#[test]
fn exit_code_1_is_the_users_with_stderr_as_the_message() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house.run_script("echo working; echo 'wrong password' >&2; exit 1", &json!({})).failed(1);
    assert_eq!(
        (ran.error_code().as_str(), ran.message().as_str()),
        ("component_user_error", "wrong password")
    );
    assert_eq!(ran.document()["error"]["blame"], "user");
    house.is_clean();
}

#[test]
fn without_stderr_the_message_is_what_stdout_said() {
    if !has_engine() {
        return;
    }
    let ran = House::new().run_script("echo 'no such account'; exit 1", &json!({})).failed(1);
    assert_eq!(ran.message(), "no such account");
}

#[test]
fn exit_code_3_is_the_components() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house
        .run_script("echo 'stack of things' >&2; echo 'IndexError: 7' >&2; exit 3", &json!({}))
        .failed(3);
    assert_eq!(ran.error_code(), "component_failed");
    assert_eq!(ran.message(), "the component ended with exit code 3: IndexError: 7");
    house.is_clean();
}

#[test]
fn memory_over_the_limit_is_told_with_limit_and_peak() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    // `tail` keeps a line without an end in memory.
    let ran = house.run_script("head -c 200m /dev/zero | tail -n 1 >/dev/null; exit 0", &json!({})).failed(1);
    assert_eq!(ran.error_code(), "out_of_memory");
    assert!(
        ran.message().starts_with("out of memory: the component may use 64 MiB, its peak was "),
        "{}",
        ran.message()
    );
    house.is_clean();
}

#[test]
fn memory_of_a_child_over_the_limit_fails_a_run_that_exits_with_0() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let storage = json!({ "output": { "tables": [{ "source": "a.csv", "destination": "out.c-main.a" }] } });
    let script = "(head -c 200m /dev/zero | tail -n 1 >/dev/null) || true; printf 'id\\n1\\n' >out/tables/a.csv; exit 0";
    let ran = house.run_script(script, &storage).failed(1);
    assert_eq!(ran.error_code(), "out_of_memory");
    assert_eq!(house.versions("out.c-main.a"), NO_VERSIONS, "outputs of a failed run were published");
    house.is_clean();
}

#[test]
fn a_run_over_its_time_is_stopped_though_it_ignores_the_signal() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let mut command = house.script_command("trap '' TERM; while :; do sleep 1; done", &json!({}), &[]);
    let configuration = json!({
        "parameters": { "script": "trap '' TERM; while :; do sleep 1; done" },
        "runtime": { "process_timeout": 1 },
    });
    house.write("task.json", configuration.to_string());
    let ran = ran(command.env("LONGSHORE_STOP_GRACE", "1s").output().unwrap()).failed(1);
    assert_eq!(
        (ran.error_code().as_str(), ran.message().as_str()),
        (
            "time_limit",
            "the component ran longer than its limit of 1 s (time limit 1 s, from `runtime.process_timeout` of the \
             configuration)"
        )
    );
    house.is_clean();
}

#[test]
fn an_entrypoint_that_is_not_there_is_the_components() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = fixture("components/no-entrypoint.yaml");
    let ran = house.call(&["run", spec.to_str().unwrap(), "--format", "json"]).failed(3);
    assert_eq!(ran.error_code(), "component_not_started");
    assert!(ran.message().contains("/opt/missing/program"), "{}", ran.message());
    house.is_clean();
}

#[test]
fn an_image_that_is_nowhere_is_the_platforms() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = house.write("nowhere.yaml", "id: nowhere\nimage: {uri: localhost:9/nowhere, tag: '1'}\n");
    let ran = house.call(&["run", spec.to_str().unwrap(), "--format", "json"]).failed(4);
    assert!(ran.message().contains("localhost:9/nowhere:1"), "{}", ran.message());
    // Who reads words has the engine at hand, and is told the cause.
    let told = house.call(&["run", spec.to_str().unwrap()]).failed(4);
    assert!(told.stderr.contains("connection refused"), "{}", told.stderr);
    house.is_clean();
}

#[test]
fn no_engine_is_the_platforms_and_says_what_to_do() {
    let house = House::new();
    let spec = house.write("any.yaml", "id: any\nimage: {uri: any, tag: '1'}\n");
    let mut command = house.command(&["run", spec.to_str().unwrap(), "--format", "json"]);
    let ran =
        ran(command.env("LONGSHORE_ENGINE_HOST", "unix:///nowhere/docker.sock").output().unwrap()).failed(4);
    assert_eq!(ran.error_code(), "engine_failed");
    assert!(ran.message().contains("start the Docker engine"), "{}", ran.message());
}

#[test]
fn an_interrupt_stops_the_component_politely_and_publishes_nothing() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let storage = json!({ "output": { "tables": [{ "source": "a.csv", "destination": "out.c-main.a" }] } });
    let script = "trap 'echo stopping; exit 0' TERM; printf 'id\\n1\\n' >out/tables/a.csv; echo ready; while :; do sleep 0.1; done";
    let mut running = Running::start(&mut house.script_command(script, &storage, &[]));
    running.wait_for("ready");
    running.signal("INT");
    let ran = running.finish().failed(130);
    assert_eq!(ran.document()["status"], "terminated");
    assert!(ran.stderr.contains("nothing will be published"), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopping"), "the component did not hear the signal:\n{}", ran.stderr);
    assert_eq!(house.versions("out.c-main.a"), NO_VERSIONS);
    house.is_clean();
}

#[test]
fn wrong_usage_exits_with_2() {
    let house = House::new();
    house.call(&["table", "shew"]).failed(2);
    house.call(&["run"]).failed(2);
    house.call(&["table", "head", "orders"]).failed(2);
}
