//! `component certify`: passes what keeps the contract, fails what breaks one rule of it for that reason, leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, Ran, docker, fixture, has_engine, ran};
use crate::running::Running;

const ORDERS: &str = "in.c-main.orders";

fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("component-specs")
}

/// The spec of a component that breaks one rule, its image built.
fn broken(name: &str) -> PathBuf {
    let folder = fixture("broken").join(name);
    let (dockerfile, tag) = (fixture("broken/Dockerfile"), format!("longshore-test/broken:{name}"));
    let (dockerfile, context) = (dockerfile.to_str().unwrap(), folder.to_str().unwrap());
    docker(&["build", "--quiet", "--file", dockerfile, "--tag", &tag, context]);
    folder.join(format!("{name}.yaml"))
}

fn certify_command(house: &House, spec: &Path, more: &[&str]) -> Command {
    let configuration = fixture("broken/configuration.yaml");
    let table = format!("{ORDERS}={}", fixture("broken/orders.csv").display());
    let mut arguments = vec!["component", "certify", spec.to_str().unwrap()];
    arguments.extend(["--config", configuration.to_str().unwrap(), "--table", &table]);
    arguments.extend(["--format", "json"]);
    arguments.extend(more);
    let mut command = house.command(&arguments);
    command.env("LONGSHORE_STOP_GRACE", "1s");
    command
}

fn certify(house: &House, spec: &Path, more: &[&str]) -> Ran {
    ran(certify_command(house, spec, more).output().unwrap())
}

/// A check of a report.
fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {report}"))
}

/// The containers that have a folder of this project mounted.
fn containers(house: &House) -> Vec<String> {
    let format = "{{.ID}} {{.Mounts}}";
    let listed =
        docker(&["ps", "--all", "--no-trunc", "--filter", "label=longshore.job", "--format", format]);
    let place = house.path().to_str().unwrap();
    listed.lines().filter(|line| line.contains(place)).map(str::to_owned).collect()
}

fn wait_for_a_container(house: &House) {
    let give_up_at = Instant::now() + Duration::from_secs(60);
    while containers(house).is_empty() {
        assert!(Instant::now() < give_up_at, "no container came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Nothing of the certification is left: no table, no job, no folder, no container.
fn is_clean(house: &House) {
    house.is_clean();
    assert_eq!(house.call(&["table", "ls", "--format", "json"]).succeeded().stdout, "[]\n");
    assert_eq!(house.call(&["job", "ls", "--format", "json"]).succeeded().stdout, "[]\n");
    assert!(!house.path().join(".longshore/quarantine").exists());
    let left = containers(house);
    assert!(left.is_empty(), "containers were left: {left:?}");
}

fn passes_everything(id: &str) {
    let house = House::new();
    let spec = specs().join(format!("{id}.yaml"));
    let arguments = ["component", "certify", spec.to_str().unwrap(), "--format", "json"];
    let ran = house.call(&arguments).succeeded();
    let report = ran.document();
    let statuses: Vec<String> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| format!("{} {}", check["status"].as_str().unwrap(), check["id"].as_str().unwrap()))
        .filter(|status| !status.starts_with("passed"))
        // A host without the kernel's counters does not tell the peak.
        .filter(|status| status != "skipped memory")
        .collect();
    assert_eq!(statuses, ["skipped deterministic"], "{report:#}");
    assert_eq!(
        (&report["verdict"], &report["component"]["id"], check(&report, "sigterm")["status"].as_str()),
        (&json!("passed"), &json!(id), Some("passed"))
    );
    is_clean(&house);
}

#[test]
fn the_shell_transformation_keeps_the_contract() {
    if has_engine() {
        passes_everything("shell-transformation");
    }
}

#[test]
fn the_python_transformation_keeps_the_contract() {
    if has_engine() {
        passes_everything("python-transformation");
    }
}

#[test]
fn the_r_transformation_keeps_the_contract() {
    if crate::transformations::has_r() {
        passes_everything("r-transformation");
    }
}

#[rstest]
#[case::root(
    "needs-root",
    "unprivileged",
    "it runs as root and fails as another user: only root may run this"
)]
#[case::writable_root(
    "writable-root",
    "read_only_root",
    "it works only on a writable root: the component ended with exit code 2: mkdir: can't create directory \
     '/var/': Read-only file system"
)]
#[case::writes_outside("writes-outside", "writes", "it wrote /var/cache/orders/seen.csv")]
#[case::network(
    "needs-network",
    "network",
    "it works only with a network: the component ended with exit code 2: ConnectionError: no route to host"
)]
#[case::processes(
    "leaves-a-process",
    "processes",
    "processes were left when the main one had ended: they are killed at once"
)]
#[case::sigterm("ignores-sigterm", "sigterm", "it was still there 1 s after SIGTERM, and was killed")]
#[case::exit_code(
    "exits-with-two",
    "user_error",
    "the component ended with exit code 2: KeyError: 'greeting'"
)]
#[case::a_trace_only(
    "says-only-a-trace",
    "message",
    "it ended with exit code 1 and nothing but a stack trace: KeyError: greeting"
)]
#[case::silence("says-nothing", "message", "it ended with exit code 1 and said nothing")]
#[case::manifest(
    "invalid-manifest",
    "outputs",
    "out/tables/copy.csv.manifest:2:1: this is not JSON: EOF while parsing a list"
)]
#[case::state(
    "invalid-state",
    "state",
    "out/state.json, line 2, column 0: the state is not valid JSON: EOF while parsing an object"
)]
#[case::its_own_state(
    "refuses-its-state",
    "state",
    "it fails with the state that it left: the component ended with exit code 2: the state is not understood"
)]
#[case::empty_input(
    "dies-of-empty-input",
    "empty_input",
    "the component ended with exit code 2: ZeroDivisionError: division by zero"
)]
#[case::no_output(
    "writes-nothing-for-empty-input",
    "empty_input",
    "its outputs were not valid then: out/tables/copy.csv is mapped, but the component did not write it"
)]
#[case::huge_field(
    "dies-of-a-huge-field",
    "huge_field",
    "the component ended with exit code 2: field larger than field limit (131072)"
)]
#[case::invalid_utf8(
    "dies-of-invalid-utf8",
    "invalid_utf8",
    "the component ended with exit code 2: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9"
)]
#[case::secret_said(
    "says-its-secret",
    "secret",
    "a secret came out: it said \"    \\\"#canary\\\": \\\"[hidden]\\\"\""
)]
#[case::not_deterministic(
    "not-deterministic",
    "deterministic",
    "two runs gave different outputs: table out.c-main.copy"
)]
fn a_broken_component_fails_for_its_reason(#[case] name: &str, #[case] id: &str, #[case] reason: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = broken(name);
    let report = certify(&house, &spec, &["--only", id]).failed(3).document();
    let check = check(&report, id);
    assert_eq!(
        (check["status"].as_str(), check["reason"].as_str()),
        (Some("failed"), Some(reason)),
        "{report:#}"
    );
    assert!(check["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()));
    assert_eq!((&report["verdict"], report["checks"].as_array().unwrap().len()), (&json!("failed"), 1));
    is_clean(&house);
}

#[rstest]
#[case::at_all("never-ends", "prompt", "1s", "it did not end within 1 s")]
#[case::on_a_huge_field("hangs-on-a-huge-field", "huge_field", "5s", "it had not ended after 5 s")]
fn a_component_that_hangs_is_stopped_and_told(
    #[case] name: &str,
    #[case] id: &str,
    #[case] timeout: &str,
    #[case] reason: &str,
) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let report = certify(&house, &broken(name), &["--only", id, "--timeout", timeout]).failed(3).document();
    assert_eq!(check(&report, id)["reason"], reason, "{report:#}");
    is_clean(&house);
}

#[test]
fn an_encoded_secret_is_found_and_only_its_neighbourhood_is_quoted() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = certify(&house, &broken("says-its-secret-in-base64"), &["--only", "secret"]).failed(3);
    let report = ran.document();
    let reason = check(&report, "secret")["reason"].as_str().unwrap();
    assert!(reason.starts_with("a secret came out: it said ") && reason.contains("[hidden]"), "{reason}");
    assert!(reason.len() < 130, "{reason}");
}

#[test]
fn a_secret_is_found_in_tables_files_and_state() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = certify(&house, &broken("keeps-its-secret"), &["--only", "secret"]).failed(3);
    let expected = json!([
        "out/files/configuration.json holds a secret of the configuration, first on line 4",
        "out/tables/copy.csv holds a secret of the configuration, first on line 2",
        "the state holds a secret of the configuration outside of `#` keys",
    ]);
    assert_eq!(check(&ran.document(), "secret")["seen"], expected);
    is_clean(&house);
}

#[test]
fn a_promise_that_is_kept_passes() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    broken("says-nothing");
    let text = "id: promises\nimage: {uri: longshore-test/broken, tag: says-nothing}\nnetwork: none\n\
                deterministic: true\n";
    let spec = house.write("promises.yaml", text);
    let report = certify(&house, &spec, &["--only", "deterministic"]).succeeded().document();
    assert_eq!(
        check(&report, "deterministic")["seen"],
        json!(["outputs that are the same, byte for byte: 1"])
    );
}

#[test]
fn advice_that_is_not_followed_does_not_refuse() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let report = certify(&house, &broken("hungry"), &["--only", "memory"]).succeeded().document();
    let check = check(&report, "memory");
    // Without the kernel's counters the peak is what was met by chance.
    if check["status"] == "skipped" {
        return;
    }
    assert_eq!((&check["level"], &check["status"]), (&json!("advice"), &json!("failed")), "{report:#}");
    assert_eq!(report["verdict"], "passed");
}

#[test]
fn an_entrypoint_that_is_not_there_fails_its_check_and_the_rest_is_left_out() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = fixture("components/no-entrypoint.yaml");
    let report = house
        .call(&["component", "certify", spec.to_str().unwrap(), "--format", "json"])
        .failed(3)
        .document();
    let reason = check(&report, "entrypoint")["reason"].as_str().unwrap();
    assert!(reason.contains("/opt/missing/program"), "{reason}");
    for id in ["success", "sigterm", "secret"] {
        let check = check(&report, id);
        assert_eq!(
            (&check["status"], &check["reason"]),
            (&json!("skipped"), &json!("the entrypoint does not start"))
        );
    }
    is_clean(&house);
}

#[test]
fn an_image_that_is_nowhere_fails_its_check() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = house.write("nowhere.yaml", "id: nowhere\nimage: {uri: localhost:9/nowhere, tag: '1'}\n");
    let report = certify_bare(&house, &spec).failed(3).document();
    assert_eq!(check(&report, "image")["status"], "failed", "{report:#}");
    assert_eq!((&report["image"], &check(&report, "success")["status"]), (&Value::Null, &json!("skipped")));
    assert_eq!(check(&report, "memory")["reason"], "there was no container to run");
    is_clean(&house);
}

fn certify_bare(house: &House, spec: &Path) -> Ran {
    house.call(&["component", "certify", spec.to_str().unwrap(), "--format", "json"])
}

#[test]
fn what_cannot_be_known_after_a_failure_does_not_pass() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    // It needs what the configuration {} does not give.
    let spec = broken("says-nothing");
    let mut command = house.command(&[
        "component",
        "certify",
        spec.to_str().unwrap(),
        "--only",
        "huge_field",
        "--format",
        "json",
    ]);
    let report = ran(command.output().unwrap()).failed(3).document();
    let check = check(&report, "huge_field");
    assert_eq!(
        (&check["status"], &check["reason"]),
        (&json!("skipped"), &json!("it does not succeed on the given configuration"))
    );
}

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

#[test]
fn an_unknown_check_is_named_with_those_that_there_are() {
    let ran = House::new().call(&["component", "certify", "any.yaml", "--only", "speed"]).failed(2);
    assert!(ran.stderr.contains("\"speed\" is no check, expected one of spec, image,"), "{}", ran.stderr);
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
fn an_interrupt_leaves_nothing_behind() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = broken("never-ends");
    let mut running = Running::start(&mut certify_command(&house, &spec, &[]));
    running.wait_for("running on the given configuration");
    wait_for_a_container(&house);
    running.signal("INT");
    let ran = running.finish().failed(130);
    assert!(ran.stderr.contains("nothing is left behind"), "{}", ran.stderr);
    is_clean(&house);
}

#[test]
fn a_certification_that_is_killed_is_cleaned_up_after_by_the_next_command() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = broken("never-ends");
    let mut running = Running::start(&mut certify_command(&house, &spec, &[]));
    running.wait_for("running on the given configuration");
    wait_for_a_container(&house);
    running.kill();
    let swept = house.call(&["table", "ls"]).succeeded();
    assert!(swept.stderr.contains("cleaned up after a runner that died"), "{}", swept.stderr);
    is_clean(&house);
}
