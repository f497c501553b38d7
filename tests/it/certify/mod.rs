//! `component certify`: passes what keeps the contract, fails what breaks one rule of it for that reason, leaves nothing.

mod breaches;
mod contract;
mod interruption;
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::house::{House, Ran, docker, fixture, ran};

const ORDERS: &str = "in.c-main.orders";

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

/// Nothing of the certification is left: no table, no job, no folder, no container.
fn is_clean(house: &House) {
    house.is_clean();
    assert_eq!(house.call(&["table", "ls", "--format", "json"]).succeeded().stdout, "[]\n");
    assert_eq!(house.call(&["job", "ls", "--format", "json"]).succeeded().stdout, "[]\n");
    assert!(!house.path().join(".longshore/quarantine").exists());
    let left = containers(house);
    assert!(left.is_empty(), "containers were left: {left:?}");
}

fn certify_bare(house: &House, spec: &Path) -> Ran {
    house.call(&["component", "certify", spec.to_str().unwrap(), "--format", "json"])
}
