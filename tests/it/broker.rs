//! `longshore queue …` on the real broker that `scripts/rabbitmq.sh start` starts.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, Ran};
use crate::service::eventually;

/// Debian's Python, where the package of the client is.
const PYTHON: &str = "/usr/bin/python3";

/// Publishes dead letters as a worker does, the body from standard input's place: the arguments.
const BURY: &str = r#"
import sys
import pika

url, prefix, lane, message_id, reason, body = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
headers = {"longshore-reason": reason, "longshore-queue": f"{prefix}.jobs.{lane}", "longshore-time": "2026-01-02T03:04:05Z"}
properties = pika.BasicProperties(message_id=message_id, headers=headers, delivery_mode=2)
channel.basic_publish(f"{prefix}.dead", lane, body, properties, mandatory=True)
connection.close()
"#;

/// Removes what a test has made.
const CLEAR: &str = r#"
import sys
import pika

url, prefix = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
for queue in ["jobs.high", "jobs.normal", "jobs.low", "dead"]:
    channel.queue_delete(f"{prefix}.{queue}")
for exchange in ["jobs", "dead", "events"]:
    channel.exchange_delete(f"{prefix}.{exchange}")
connection.close()
"#;

struct Broker {
    house: House,
    url: String,
    prefix: String,
}

impl Broker {
    /// A project with a topology of its own; `None` where broker or client are missing, which is a failure in CI.
    fn new() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/rabbitmq.sh");
        let answers = Command::new(&script).arg("answers").status().unwrap().success();
        let has_client =
            Command::new(PYTHON).args(["-c", "import pika"]).output().is_ok_and(|ran| ran.status.success());
        if !answers || !has_client {
            #[expect(
                clippy::disallowed_methods,
                reason = "CI says by its environment that nothing may be skipped"
            )]
            let is_ci = std::env::var_os("CI").is_some();
            assert!(!is_ci, "no RabbitMQ answers or Python's pika is missing; `make test` sees to both");
            eprintln!("SKIP (no RabbitMQ or no pika): {:?}", std::thread::current().name());
            return None;
        }
        let told = Command::new(&script).arg("env").output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let url = told.trim().strip_prefix("LONGSHORE_QUEUE_URL=").unwrap().to_owned();
        let prefix = format!("test-{}", uuid::Uuid::now_v7());
        let house = House::new();
        house.write("longshore.yaml", json!({ "queue": { "url": url, "prefix": prefix } }).to_string());
        Some(Self { house, url, prefix })
    }

    fn queue(&self, arguments: &[&str]) -> Ran {
        self.house.call(&[&["queue"], arguments].concat())
    }

    fn python(&self, script: &str, arguments: &[&str]) {
        let arguments = [&["-c", script, &self.url, &self.prefix], arguments].concat();
        let ran = Command::new(PYTHON).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// What a text says when the prefix is `P`.
    fn short(&self, text: &str) -> String {
        text.replace(&self.prefix, "P")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.python(CLEAR, &[]);
    }
}

#[test]
fn a_topology_is_made_shown_and_made_only_once() {
    let Some(broker) = Broker::new() else { return };
    let missing = broker.queue(&["show"]).failed(4);
    insta::assert_snapshot!(broker.short(&missing.stderr), @"error: queue P.jobs.high does not exist at the broker: `longshore queue setup` makes it");
    insta::assert_snapshot!(broker.short(&broker.queue(&["setup"]).succeeded().stdout), @"
    exchange P.jobs made
    exchange P.dead made
    exchange P.events made
    queue P.dead made
    queue P.jobs.high made
    queue P.jobs.normal made
    queue P.jobs.low made
    ");
    let again = broker.queue(&["setup", "--format", "json"]).succeeded().document();
    assert!(
        again.as_array().unwrap().iter().all(|line| line.as_str().unwrap().ends_with(" was there")),
        "{again}"
    );
    let shown = broker.queue(&["show", "--format", "json"]).succeeded().document();
    let empty =
        |queue: &str| json!({ "queue": format!("{}.{queue}", broker.prefix), "ready": 0, "consumers": 0 });
    assert_eq!(shown, Value::Array(["jobs.high", "jobs.normal", "jobs.low", "dead"].map(empty).to_vec()));
    let table = broker.queue(&["show"]).succeeded().stdout;
    assert!(table.starts_with("QUEUE "), "{table}");
}

#[test]
fn dead_letters_are_listed_without_secrets_and_put_back() {
    let Some(broker) = Broker::new() else { return };
    broker.queue(&["setup"]).succeeded();
    let body = r##"{"component": "a.b", "data": {"parameters": {"#token": "s3cret"}}}"##;
    broker.python(BURY, &["high", "job-1", "message:1:1: `version` is missing", body]);
    broker.python(
        BURY,
        &["low", "job-2", "message: a job request is a JSON object", "not a request #token: s3cret"],
    );
    let listed = broker.queue(&["dead"]).succeeded();
    insta::assert_snapshot!(listed.stdout, @r##"
    TIME                  LANE  MESSAGE ID  REASON                                   BODY
    2026-01-02T03:04:05Z  high  job-1       message:1:1: `version` is missing        {"component":"a.b","data":{"parameters"…
    2026-01-02T03:04:05Z  low   job-2       message: a job request is a JSON object  not a request …
    "##);
    let shown = broker.queue(&["dead", "--limit", "1", "--format", "json"]).succeeded();
    assert!(!shown.stdout.contains("s3cret"), "{}", shown.stdout);
    let expected = json!([{
        "message_id": "job-1",
        "lane": "high",
        "queue": format!("{}.jobs.high", broker.prefix),
        "time": "2026-01-02T03:04:05Z",
        "reason": "message:1:1: `version` is missing",
        "bytes": body.len(),
        "body": r##"{"component":"a.b","data":{"parameters":{"#token":"(hidden)"}}}"##,
    }]);
    assert_eq!(shown.document(), expected);

    let unknown = broker.queue(&["dead", "--requeue", "job-3"]).failed(1);
    assert_eq!(
        unknown.stderr,
        "error: no dead letter has the message id job-3\nhint: longshore queue dead lists them\n"
    );
    let one = broker.queue(&["dead", "--requeue", "job-2"]).succeeded();
    assert_eq!(one.stdout, "1 message is back in the queue\n");
    // What a call has looked at and left comes back to the broker's queue in the broker's time.
    eventually("the other one is put back", || {
        let put_back = broker.queue(&["dead", "--requeue", "--format", "json"]).succeeded();
        (put_back.document() == 1).then_some(())
    });
    let shown = broker.queue(&["show", "--format", "json"]).succeeded().document();
    let ready: Vec<u64> =
        shown.as_array().unwrap().iter().map(|queue| queue["ready"].as_u64().unwrap()).collect();
    assert_eq!(ready, [1, 0, 1, 0]);
}

#[test]
fn without_a_broker_in_the_settings_the_remedy_is_told() {
    let ran = House::new().call(&["queue", "show"]).failed(1);
    assert_eq!(
        ran.stderr,
        "error: the settings name no broker\nhint: set queue.url in longshore.yaml, or LONGSHORE_QUEUE_URL\n"
    );
}
