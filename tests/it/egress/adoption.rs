//! The relay of a listed job dies with its worker; who adopts the container sets it up again.

use serde_json::json;

use super::town::{THROUGH, Town, has_netfilter};
use super::{TRY, device, rules};
use crate::house::docker;
use crate::service::{Port, eventually, is_served};

#[test]
fn an_adopted_component_reaches_what_is_listed_and_nothing_else() {
    if !is_served() || !has_netfilter() {
        return;
    }
    let town = Town::build(&[]);
    let port = Port::open(&json!({ "slots": 1 }));
    let path = port.house.path().join("component-specs/raw-shell.yaml");
    let spec = std::fs::read_to_string(&path).unwrap();
    let list = json!({ "allow": [format!("{}:80", town.inside)] });
    std::fs::write(&path, spec.replace("network: none", &format!("network: {list}"))).unwrap();
    let script = format!(
        "{TRY}try {0}:80; try {0}:81; echo begun; while [ ! -e /tmp/go ]; do sleep 0.1; done; try {0}:80; try {0}:81",
        town.inside
    );
    let configuration = json!({ "parameters": { "script": script } });
    port.house.write("task.json", configuration.to_string());
    port.house.call(&["submit", "raw-shell", "--config", "task.json", "--id", "job"]).succeeded();
    let mut doomed = port.worker(&[]);
    port.hears("job", "begun");
    eventually("what it has contacted by then is on record", || {
        let network = &port.job("job").document()["network"];
        (network["contacted"][0]["connections"] == 1 && network["refused"][0]["attempts"] == 1).then_some(())
    });
    let network = port.house.containers()[0].clone();
    let redirects = |device: &str| {
        let start = format!("chain {device}_redirect {{");
        rules().split(&start).nth(1).unwrap().split('}').take(2).collect::<String>()
    };
    let device = device(&network);
    let before = redirects(&device);
    doomed.kill();

    let _heir = port.worker(&[]);
    port.hears("job", "another one goes on with its container");
    eventually("the rules lead to the new relay", || (redirects(&device) != before).then_some(()));
    port.release();
    let document = port.comes_to("job", "success");
    let refused = format!("refused {}:81", town.inside);
    let log = port.house.call(&["job", "log", "job"]).succeeded().stdout;
    assert_eq!(
        log.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(),
        [THROUGH, &refused, "begun", THROUGH, &refused]
    );
    assert_eq!(document["attempt"], 1, "{document}");
    // What the dead worker's relay had seen counts with what the heir's has.
    let (contacted, refused) = (&document["network"]["contacted"], &document["network"]["refused"]);
    assert_eq!(
        (contacted.as_array().unwrap().len(), &contacted[0]["connections"]),
        (1, &json!(2)),
        "{contacted}"
    );
    assert_eq!(*refused, json!([{ "host": town.inside.to_string(), "port": 81, "attempts": 2 }]));
    eventually("its network is gone", || {
        let filter = format!("name={network}");
        docker(&["network", "ls", "--quiet", "--filter", &filter]).is_empty().then_some(())
    });
}
