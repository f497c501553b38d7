//! What is written of a certification, and what is refused before there is one.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{broken, certify, certify_bare, check, is_clean};
use crate::house::{House, fixture, has_engine, ran};

#[test]
fn the_report_is_written_as_json_too() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let more = ["--only", "success,huge_field,deterministic", "--json", "report.json"];
    let ran = certify(&house, &broken("dies-of-a-huge-field"), &more).failed(3);
    let mut report: Value =
        serde_json::from_str(&fs::read_to_string(house.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report, ran.document());
    for time in ["started", "ended"] {
        assert!(report[time].as_str().unwrap().ends_with('Z'), "{report:#}");
        report[time] = Value::Null;
    }
    assert!(report["image"]["id"].as_str().unwrap().starts_with("sha256:"));
    report["image"]["id"] = Value::Null;
    assert!(report["component"]["spec"].as_str().unwrap().ends_with("dies-of-a-huge-field.yaml"));
    report["component"]["spec"] = Value::Null;
    assert_eq!(report["component"]["spec_sha256"].as_str().unwrap().len(), 64);
    report["component"]["spec_sha256"] = Value::Null;
    for check in report["checks"].as_array_mut().unwrap() {
        for run in check["runs"].as_array_mut().unwrap() {
            assert!(run["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{run}");
            run["seconds"] = Value::Null;
            run["memory_peak_bytes"] = Value::Null;
        }
        check["seen"] = Value::Null;
    }
    assert_eq!(report, expected_report(), "{report:#}");
}

/// The report on `dies-of-a-huge-field`, without what differs from run to run.
fn expected_report() -> Value {
    let base = json!({
        "name": "on the given configuration", "status": "success", "code": null, "exit_code": 0,
        "message": "1 table published", "seconds": null, "memory_peak_bytes": null,
    });
    let huge = json!({
        "name": "with a field of 1 MiB in every table", "status": "error", "code": "component_failed",
        "exit_code": 2,
        "message": "the component ended with exit code 2: field larger than field limit (131072)",
        "seconds": null, "memory_peak_bytes": null,
    });
    json!({
        "shape_version": 1,
        "longshore": env!("CARGO_PKG_VERSION"),
        "component": { "spec": null, "id": "dies-of-a-huge-field", "spec_sha256": null },
        "image": {
            "reference": "longshore-test/broken:dies-of-a-huge-field", "id": null, "digest": null,
            "policy": "release", "action": "present",
        },
        "verdict": "failed",
        "started": null,
        "ended": null,
        "checks": [
            {
                "id": "success", "title": "it ends with exit code 0 on the given configuration",
                "level": "required", "status": "passed", "reason": null, "remedy": null, "seen": null,
                "runs": [base],
            },
            {
                "id": "huge_field", "title": "it bears a field of 1 MiB", "level": "required",
                "status": "failed",
                "reason": "the component ended with exit code 2: field larger than field limit (131072)",
                "remedy": "raise the field limit of your CSV reader (Python: csv.field_size_limit), or exit with 1 and say so",
                "seen": null, "runs": [huge],
            },
            {
                "id": "deterministic", "title": "the same inputs give the same outputs", "level": "required",
                "status": "skipped", "reason": "its spec does not promise it", "remedy": null, "seen": null,
                "runs": [],
            },
        ],
    })
}

#[test]
fn a_wrong_spec_is_a_report_without_an_engine() {
    let house = House::new();
    let spec = house.write("wrong.yaml", "id: wrong\nimage: {uri: any}\nmemory: 1\n");
    let report = certify_bare(&house, &spec).failed(3).document();
    let spec_check = check(&report, "spec");
    assert_eq!((&report["verdict"], &spec_check["status"]), (&json!("failed"), &json!("failed")));
    assert!(spec_check["seen"][0].as_str().unwrap().contains("wrong.yaml:3:1"), "{report:#}");
    assert!(!house.path().join(".longshore").exists(), "there was nothing to run");
}

#[test]
fn the_report_in_words_says_what_to_do() {
    let house = House::new();
    house.write("wrong.yaml", "id: wrong\nimage: {uri: any}\nmemory: 1\n");
    let ran = house.call(&["component", "certify", "wrong.yaml", "--only", "spec,memory"]).failed(3);
    insta::assert_snapshot!(ran.stdout, @r"
    failed   spec           the spec is valid
                            the spec is not valid
                            - wrong.yaml:3:1: memory: unknown key
                            hint: correct the spec at the places named
    skipped  memory         its memory stays clear of the limit
                            the spec is not valid
    wrong.yaml failed: 0 passed, 1 failed, 1 skipped
    ");
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_report_in_words_does_not_drive_a_terminal() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let task = json!({ "parameters": { "script": "printf '\\033[2Jgone' >&2; exit 2" } });
    house.write("task.json", task.to_string());
    let spec = fixture("components/raw-shell.yaml");
    let arguments =
        ["component", "certify", spec.to_str().unwrap(), "--config", "task.json", "--only", "success"];
    let ran = house.call(&arguments).failed(3);
    assert!(ran.stdout.contains("exit code 2: \\u{1b}[2Jgone"), "{:?}", ran.stdout);
    assert!(!(ran.stdout + &ran.stderr).contains('\u{1b}'));
}

#[test]
fn every_check_is_documented_and_in_the_schema() {
    let house = House::new();
    let spec = house.write("wrong.yaml", "id: wrong\n");
    let report = certify_bare(&house, &spec).failed(3).document();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = fs::read_to_string(docs.join("certification.md")).unwrap();
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(docs.join("certification.schema.json")).unwrap()).unwrap();
    let check_schema = &schema["$defs"]["check"];
    let ids: Vec<&Value> = report["checks"].as_array().unwrap().iter().map(|check| &check["id"]).collect();
    assert_eq!(json!(ids), check_schema["properties"]["id"]["enum"]);
    for id in &ids {
        let row = format!("| `{}` |", id.as_str().unwrap());
        assert!(page.contains(&row), "docs/certification.md has no row {row}");
    }
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&report), keys(&schema["properties"]));
    assert_eq!(keys(&report["checks"][0]), keys(&check_schema["properties"]));
    let run = &expected_report()["checks"][0]["runs"][0];
    assert_eq!(keys(run), keys(&schema["$defs"]["run"]["properties"]));
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_run() {
    let house = House::new();
    house.write("any.yaml", "id: any\nimage: {uri: localhost:9/nowhere, tag: '1'}\n");
    let mut command = house.command(&["component", "certify", "./any.yaml", "--json", "reports/any.json"]);
    let refused = ran(command.env("LONGSHORE_ENGINE_HOST", "unix:///nowhere").output().unwrap()).failed(1);
    let said = "error: cannot write reports/any.json: there is no folder reports";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert!(!refused.stderr.contains("running"), "{}", refused.stderr);
}

#[test]
fn an_unknown_check_is_named_with_those_that_there_are() {
    let ran = House::new().call(&["component", "certify", "any.yaml", "--only", "speed"]).failed(2);
    assert!(ran.stderr.contains("\"speed\" is no check, expected one of spec, image,"), "{}", ran.stderr);
}

#[test]
fn a_table_that_the_configuration_maps_and_nobody_gave_is_the_callers() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let (spec, configuration) = (broken("says-nothing"), fixture("broken/configuration.yaml"));
    let arguments =
        ["component", "certify", spec.to_str().unwrap(), "--config", configuration.to_str().unwrap()];
    let ran = house.call(&arguments).failed(1);
    assert!(ran.stderr.contains("table in.c-main.orders does not exist"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the tables that it maps by --table"), "{}", ran.stderr);
    is_clean(&house);
}
