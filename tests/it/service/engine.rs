//! The engine under a worker goes away: what runs there goes on, and what it takes along is nobody's fault.

use rstest::rstest;
use serde_json::{Value, json};

use super::{HOLDS, Port, Proxy, Worker, append, eventually, is_served};
use crate::house::docker;

const ENGINE: &str = "/var/run/docker.sock";

/// A worker whose engine is reached through a proxy only: by its socket, as usual, or over a network.
fn behind_proxy(port: &Port, is_local: bool, patience: &str) -> (Proxy, Worker) {
    let socket = port.house.path().join("engine.sock");
    let (proxy, scheme) =
        if is_local { (Proxy::at(&socket, ENGINE), "unix") } else { (Proxy::to(ENGINE), "tcp") };
    let machine = port.machine(|settings| {
        settings["engine_host"] = json!(format!("{scheme}://{}", proxy.address));
        settings["engine_patience"] = json!(patience);
    });
    (proxy, Worker::on(machine))
}

/// What the job's component said.
fn log(port: &Port, job: &str) -> String {
    port.house.call(&["job", "log", job]).succeeded().stdout
}

/// Waits for the end of a job that needed a second attempt, letting every component go on.
fn comes_to_its_second_end(port: &Port, job: &str) -> Value {
    eventually("the second attempt succeeds", || {
        port.release();
        Some(port.job(job).document()).filter(|document| document["status"] == "success")
    })
}

#[rstest]
#[case::by_its_socket(true)]
#[case::over_a_network(false)]
fn a_job_survives_an_engine_that_goes_away_and_comes_back(#[case] is_local: bool) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, worker) = behind_proxy(&port, is_local, "5m");
    let script = format!("{HOLDS}; echo resumed");
    port.orchestrator.publish(&[append("running", &script, 1)]);
    port.hears("running", "begun");
    proxy.go_down();
    worker.says("the wait for the container broke off");
    // There is a place for it, and nothing to run it with.
    port.orchestrator.publish(&[append("later", "true", 2)]);
    worker.says("no jobs are taken until it is back");

    proxy.mend();
    worker.says("jobs are taken");
    port.release();
    assert_eq!(port.comes_to("running", "success")["attempt"], 1);
    assert_eq!(port.comes_to("later", "success")["attempt"], 1);
    assert_eq!(log(&port, "running"), "begun\nresumed\n");
    assert_eq!(port.house.versions("out.c-main.t"), [2, 1]);
    assert_eq!(port.house.containers(), Vec::<String>::new());
}

#[test]
fn a_job_whose_engine_stays_away_runs_again_and_what_it_left_there_is_removed() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, worker) = behind_proxy(&port, true, "2s");
    port.orchestrator.publish(&[append("job", HOLDS, 1)]);
    port.hears("job", "begun");
    proxy.go_down();
    worker.says("the job is tried again later");
    worker.says("no jobs are taken until it is back");
    assert_eq!(port.house.containers().len(), 1, "it still runs, and nobody could remove it");

    proxy.mend();
    worker.says("a forgotten container is removed");
    assert_eq!(comes_to_its_second_end(&port, "job")["attempt"], 2);
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
    eventually("nothing is left", || port.house.containers().is_empty().then_some(()));
}

/// An engine that shuts down closes its door, stops its containers, and goes.
#[rstest]
#[case::politely("TERM")]
#[case::the_hard_way("KILL")]
fn a_container_that_the_engine_takes_along_is_run_again(#[case] signal: &str) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, worker) = behind_proxy(&port, true, "5m");
    port.orchestrator.publish(&[append("job", HOLDS, 1)]);
    port.hears("job", "begun");
    proxy.take_nobody();
    docker(&["kill", "--signal", signal, &port.house.containers()[0]]);
    worker.says("the job is tried again later");

    proxy.mend();
    assert_eq!(comes_to_its_second_end(&port, "job")["attempt"], 2);
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
    eventually("nothing is left", || port.house.containers().is_empty().then_some(()));
}
