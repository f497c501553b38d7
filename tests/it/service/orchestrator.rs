//! Whoever submits jobs: an AMQP client in another language.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::house::fixture;

/// Debian's: the client library is a package of its.
const PYTHON: &str = "/usr/bin/python3";

#[derive(Debug)]
pub(crate) struct Orchestrator {
    pub(super) url: String,
    /// What all names of the topology begin with.
    pub(super) prefix: String,
}

impl Orchestrator {
    /// Whether its client library is installed.
    pub(super) fn is_there() -> bool {
        Command::new(PYTHON).args(["-c", "import pika"]).output().is_ok_and(|output| output.status.success())
    }

    /// Publishes messages, in order; returns when the broker has confirmed them all.
    pub(crate) fn publish(&self, messages: &[Value]) {
        self.act("publish", messages);
    }

    /// Publishes messages and waits for a reply to each.
    pub(crate) fn call(&self, messages: &[Value]) -> Vec<Value> {
        let output = self.act("call", messages);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns when the broker's acknowledgement timeout has ended a consumer that did not answer.
    pub(super) fn outlast_acknowledgement(&self) {
        let output = Self::script(&["outlast", &self.url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn act(&self, verb: &str, messages: &[Value]) -> Output {
        let exchange = format!("{}.jobs", self.prefix);
        let mut command = Self::script(&[verb, &self.url, &exchange]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = messages.iter().fold(String::new(), |lines, message| lines + &message.to_string() + "\n");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The bodies of the messages that wait in one of the queues, one a line; they stay there.
    pub(super) fn peek(&self, queue: &str) -> String {
        let output =
            Self::script(&["peek", &self.url, &format!("{}.{queue}", self.prefix)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Listens for events with a queue that has room for one, and never looks into it.
    pub(crate) fn sleep_over_events(&self) {
        let (exchange, queue) = (format!("{}.events", self.prefix), format!("{}.asleep", self.prefix));
        let output = Self::script(&["sleep", &self.url, &exchange, &queue]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Removes the topology; what is gone already is no trouble.
    pub(super) fn clear_away(&self) {
        let names = ["jobs", "jobs.high", "jobs.normal", "jobs.low", "dead", "events", "asleep"];
        let names: Vec<String> = names.iter().map(|name| format!("{}.{name}", self.prefix)).collect();
        let mut arguments = vec!["remove", self.url.as_str()];
        arguments.extend(names.iter().map(String::as_str));
        Self::script(&arguments).output().ok();
    }

    fn script(arguments: &[&str]) -> Command {
        let mut command = Command::new(PYTHON);
        command.arg(fixture("orchestrator/orchestrate.py")).args(arguments);
        command
    }
}
