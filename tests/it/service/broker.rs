//! A broker of a test's own, which may be impatient and may be restarted.

use serde_json::json;

use super::server::Server;
use super::{HOLDS, Port, append, is_served};

/// Another instance than the one that the tests share; the script names instances by their ports.
const PORT: &str = "5691";

struct Broker;

impl Broker {
    fn start() -> Self {
        let broker = Self;
        broker.run(&["start"]);
        broker
    }

    fn run(&self, arguments: &[&str]) {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn url(&self) -> String {
        let printed = String::from_utf8(self.command().arg("env").output().unwrap().stdout).unwrap();
        printed.trim().replace("LONGSHORE_QUEUE_URL=", "")
    }

    #[expect(clippy::unused_self, reason = "only a broker that was started has commands")]
    fn command(&self) -> std::process::Command {
        let mut command = Server::Rabbitmq.command();
        command.env("LONGSHORE_RABBITMQ_PORT", PORT);
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // What does not end now is found by its port and ended by the next run.
        self.command().arg("stop").output().ok();
    }
}

#[test]
fn a_job_outlasts_the_acknowledgement_timeout_and_a_restart_of_the_broker() {
    if !is_served() {
        return;
    }
    let broker = Broker::start();
    // In milliseconds; looked at as often.
    let impatient = "application:set_env(rabbit, consumer_timeout, 1000), \
                     application:set_env(rabbit, channel_tick_interval, 500).";
    broker.run(&["ctl", "eval", impatient]);
    let port = Port::at(json!({ "url": broker.url() }), &json!({}));
    let _worker = port.worker(&[]);
    port.orchestrator.publish(&[append("long", HOLDS, 1)]);
    port.hears("long", "begun");
    port.orchestrator.outlast_acknowledgement();

    broker.run(&["stop_app"]);
    broker.run(&["start_app"]);
    port.orchestrator.publish(&[append("later", "true", 2)]);
    assert_eq!(port.comes_to("later", "success")["attempt"], 1);
    port.release();
    assert_eq!(port.comes_to("long", "success")["attempt"], 1);
    assert_eq!(port.house.export("out.c-main.t"), "n\n2\n1\n");
    assert_eq!(port.jobs().len(), 2);
}
