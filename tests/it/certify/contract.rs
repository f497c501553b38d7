//! Components that keep the contract.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{broken, certify, check, is_clean};
use crate::house::{House, has_engine};

fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("component-specs")
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
