use std::process::Command;

use tokio::time::timeout;

use super::bench::{Bench, PATIENCE, PORT};
use crate::job::Priority;
use crate::queue::depths;
use crate::request;

/// Debian's Python, where the package of the client is.
const PYTHON: &str = "/usr/bin/python3";

/// Whether Python has the client.
fn has_pika() -> bool {
    if Command::new(PYTHON).args(["-c", "import pika"]).status().is_ok_and(|status| status.success()) {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "Python's pika is missing; scripts/setup.sh installs it");
    eprintln!("SKIP (no pika for Python): {:?}", std::thread::current().name());
    false
}

fn python(bench: &Bench, script: &str) {
    let url = format!("amqp://guest:guest@127.0.0.1:{PORT}/%2f");
    let run = Command::new(PYTHON).args(["-c", script, &url, &bench.options.prefix]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test]
async fn the_pages_python_client_submits_a_request() {
    let Some(bench) = Bench::new().await.filter(|_bench| has_pika()) else { return };
    let page = include_str!("../../../docs/job-request.md");
    let (_before, rest) = page.split_once("```python\n").unwrap();
    let (script, _after) = rest.split_once("```").unwrap();
    python(&bench, script);
    let mut intake = bench.intake();
    let delivery = intake.next().await;
    let request = request::parse(&delivery.body, "message").unwrap();
    assert_eq!(request.component.as_str(), "shell-transformation");
    assert_eq!(request.configuration.unwrap().as_str(), "orders-by-day");
    assert_eq!(delivery.lane, Priority::Normal);
    assert_eq!(delivery.reply_to.as_deref(), Some("my-answers"));
    assert_eq!(delivery.correlation_id.as_deref(), Some("run-42"));
    assert!(delivery.message_id.is_some());
    delivery.accept().await.unwrap();
    intake.stop().await;
    bench.clear().await;
}

/// Not UTF-8, as the protocol wants it: our client ends the connection over it.
const UNREADABLE: &str = r#"
import sys
import pika

url, prefix = sys.argv[1:3]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
for message_id in [b"before", b"\xff\xfe", b"after", b"later"]:
    properties = pika.BasicProperties(message_id=message_id)
    channel.basic_publish(f"{prefix}.jobs", "normal", "{}", properties)
connection.close()
"#;

#[tokio::test]
async fn a_message_that_cannot_even_be_read_is_put_away_and_its_neighbours_come() {
    let Some(bench) = Bench::new().await.filter(|_bench| has_pika()) else { return };
    python(&bench, UNREADABLE);
    let mut intake = bench.intake();
    let mut ids = Vec::new();
    while ids.last().is_none_or(|id| id != "later") {
        ids.push(intake.next_id().await);
    }
    // What was read before the session broke could be answered only in the next one.
    ids.dedup();
    assert_eq!(ids, ["before", "after", "later"]);
    let is_put_away = async { while depths(&bench.options).await.unwrap()[3].ready == 0 {} };
    timeout(PATIENCE, is_put_away).await.expect("the broker never gives it up");
    intake.stop().await;
    let ready: Vec<u32> =
        depths(&bench.options).await.unwrap().into_iter().map(|depth| depth.ready).collect();
    assert_eq!(ready, [0, 0, 0, 1]);
    bench.clear().await;
}
