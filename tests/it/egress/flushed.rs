//! Rules that somebody takes away under a running job come back. A test takes those of its own network alone, since other tests'
//! jobs stand in the same table.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rstest::rstest;
use serde_json::json;

use super::town::{THROUGH, Town};
use super::{can_be_tried, command, device, rules, said};
use crate::house::{House, docker};
use crate::running::Running;
use crate::service::eventually;

const GONE: &str = "the rules that hold what the component may reach were gone";

#[rstest]
#[case::its_rules("flush chain inet longshore DEVICE_forward; flush chain inet longshore DEVICE_input")]
#[case::its_entries(
    "delete element inet longshore forward_of { \"DEVICE\" }; delete element inet longshore redirect_of { \"DEVICE\" }"
)]
#[case::everything_of_it(
    "delete element inet longshore forward_of { \"DEVICE\" }; delete element inet longshore input_of { \"DEVICE\" }; \
     delete element inet longshore redirect_of { \"DEVICE\" }; delete chain inet longshore DEVICE_forward; \
     delete chain inet longshore DEVICE_input; delete chain inet longshore DEVICE_redirect"
)]
fn rules_that_are_taken_away_under_a_running_job_come_back_and_are_told_once(#[case] taken: &str) {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let house = House::new();
    let network = json!({ "allow": [format!("{}:80", town.inside)] });
    let script = format!(
        "echo begun; while [ ! -e /tmp/go ]; do sleep 0.1; done; try {0}:80; try {0}:81; exit 1",
        town.inside
    );
    let mut running = Running::start(&mut command(&house, &network, &script));
    running.wait_for("begun");
    let container = house.containers()[0].clone();
    let device = device(&container);
    let lines = || {
        let rules = rules();
        let mut ours = of_device(&rules, &device);
        ours.sort();
        ours
    };
    let before = lines();
    for _twice in 0..2 {
        let script = taken.replace("DEVICE", &device);
        assert!(Command::new("nft").arg(&script).status().unwrap().success(), "{script}");
        eventually("the rules are back", || (lines() == before).then_some(()));
    }
    running.wait_for(GONE);
    docker(&["exec", &container, "touch", "/tmp/go"]);
    let ran = running.finish();
    assert_eq!(ran.stderr.matches(GONE).count(), 1, "{}", ran.stderr);
    let document = ran.document();
    assert_eq!(document["network"]["guarded"], true);
    assert!(document["notices"][0].as_str().unwrap().starts_with(GONE), "{}", document["notices"]);
    assert_eq!(said(ran), ["begun", THROUGH, &format!("refused {}:81", town.inside)]);
    house.is_clean();
}

#[test]
fn a_component_is_stopped_when_nobody_can_hold_it_to_its_list_any_more() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let house = House::new();
    // A tool that fails once when it is to load anything, after it was told to.
    let fails = house.path().join("fails");
    let tool = format!(
        "#!/bin/sh\n[ $1 = -f ] && rm {} 2>/dev/null && {{ echo 'Operation not permitted' >&2; exit 1; }}\n\
         PATH=${{PATH#*:}} exec nft \"$@\"\n",
        fails.display()
    );
    let tools = house.write("tools/nft", tool);
    fs::set_permissions(&tools, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.parent().unwrap().display());
    let network = json!({ "allow": [format!("{}:80", town.inside)] });
    let mut command = command(&house, &network, "echo begun; while :; do sleep 0.1; done");
    let mut running = Running::start(command.env("PATH", path));
    running.wait_for("begun");
    let device = device(&house.containers()[0]);
    fs::write(&fails, "").unwrap();
    let script = format!("delete element inet longshore forward_of {{ \"{device}\" }}");
    assert!(Command::new("nft").arg(&script).status().unwrap().success(), "{script}");
    let ran = running.finish().failed(4);
    assert_eq!(ran.error_code(), "engine_failed");
    let told = "the component lists what it may connect to, which cannot be enforced here: \
                nft may not change the firewall (Operation not permitted)";
    assert!(ran.message().starts_with(told), "{}", ran.message());
    assert_eq!(ran.document()["network"]["guarded"], false);
    house.is_clean();
}

/// Each rule of a device's chains with the chain's name, and each entry that leads to one. Others come and go meanwhile.
fn of_device(rules: &str, device: &str) -> Vec<String> {
    let mut chain = "";
    let mut found = Vec::new();
    for line in rules.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("chain ") {
            chain = name;
        }
        if chain.starts_with(device) && line != "}" {
            found.push(format!("{chain}: {line}"));
        }
        let entries =
            line.trim_start_matches("elements = {").split(',').map(|entry| entry.trim_matches([' ', '}']));
        found
            .extend(entries.filter(|entry| entry.starts_with(&format!("\"{device}\" :"))).map(str::to_owned));
    }
    found
}
