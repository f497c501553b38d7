//! Components that break one rule each.

use rstest::rstest;
use serde_json::{Value, json};

use super::{broken, certify, certify_bare, check, is_clean};
use crate::house::{House, fixture, has_engine, ran};

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
