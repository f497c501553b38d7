//! What the workers lean on goes away and comes back: no job is lost, none published twice.

use std::collections::BTreeSet;

use serde_json::json;

use super::{HOLDS, Port, Proxy, Worker, append, eventually, is_served};

/// `host:port` of an address.
fn host_of(url: &str) -> &str {
    let rest = url.rsplit_once('@').map_or(url, |(_user, rest)| rest);
    rest.split('/').next().unwrap()
}

/// A worker that reaches one of its servers through a proxy only; everybody else reaches it directly.
fn behind_proxy(service: &Port, part: &str) -> (Proxy, Worker) {
    let url = service.settings[part]["url"].as_str().unwrap().to_owned();
    let proxy = Proxy::to(host_of(&url));
    let through = url.replace(host_of(&url), &proxy.address.to_string());
    let machine = service.machine(|settings| settings[part]["url"] = json!(through));
    (proxy, Worker::on(machine))
}

#[test]
fn a_broker_that_falls_silent_is_found_again_while_jobs_go_on() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, _worker) = behind_proxy(&port, "queue");
    port.orchestrator.publish(&[append("running", HOLDS, 1)]);
    port.hears("running", "begun");
    proxy.cut();
    port.orchestrator.publish(&[append("later", "true", 2)]);
    port.release();
    assert_eq!(port.comes_to("running", "success")["attempt"], 1);
    proxy.mend();
    assert_eq!(port.comes_to("later", "success")["attempt"], 1);
    assert_eq!(port.house.export("out.c-main.t"), "n\n1\n2\n");
}

#[test]
fn a_database_that_goes_down_is_found_again_and_its_jobs_end_once() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, _worker) = behind_proxy(&port, "catalog");
    port.orchestrator.publish(&[append("running", HOLDS, 1)]);
    port.hears("running", "begun");
    proxy.go_down();
    port.orchestrator.publish(&[append("later", "true", 2)]);
    port.release();
    // The component ends while nothing can be recorded: what it made is committed when the database is back.
    eventually("the component has ended", || port.house.containers().is_empty().then_some(()));
    proxy.mend();
    for job in ["running", "later"] {
        assert_eq!(port.comes_to(job, "success")["attempt"], 1, "{job}");
    }
    let table = port.house.export("out.c-main.t");
    let rows: BTreeSet<&str> = table.lines().skip(1).collect();
    assert_eq!((rows, table.lines().count()), (BTreeSet::from(["1", "2"]), 3));
}
