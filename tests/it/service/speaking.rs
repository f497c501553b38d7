//! What a component says while its worker dies: heard to the end by another, once.

use rstest::rstest;
use serde_json::{Value, json};

use super::worker::Worker;
use super::{HOLDS, Port, eventually, is_served};
use crate::gelf::has_client;

/// On each stream.
const NUMBERS: u64 = 1_000_000;

#[test]
fn two_million_lines_are_kept_once_and_in_order_though_the_worker_is_killed_in_the_middle() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    let mut doomed = port.worker(&[]);
    let half = NUMBERS / 2;
    let later = half + 1;
    let script = format!(
        "seq 1 {half} >&2 & seq 1 {half}; wait; while [ ! -e /tmp/go ]; do sleep 0.1; done; \
         seq {later} {NUMBERS} >&2 & seq {later} {NUMBERS}; wait"
    );
    let data = json!({ "parameters": { "script": script } });
    let request = json!({ "version": 1, "component": "raw-shell", "data": data });
    port.orchestrator.publish(&[json!({ "message_id": "speaking", "request": request })]);
    // In the middle of the first half: the catalog has some of it, and far from all.
    port.hears("speaking", "info    1000");
    doomed.kill();
    port.release();
    let _heir = port.worker(&[]);
    // Two million lines take their time on a busy machine.
    port.house.call(&["job", "wait", "speaking", "--timeout", "5m"]).succeeded();
    for stream in ["out", "err"] {
        let said =
            port.house.call(&["job", "log", "speaking", "--raw", "--stream", stream]).succeeded().stdout;
        assert_eq!(said.lines().count() as u64, NUMBERS, "{stream}");
        let is_in_order = said.lines().zip(1_u64..).all(|(line, number)| line == number.to_string());
        assert!(is_in_order, "{stream} has a line at a wrong place");
    }
    let events =
        port.house.call(&["job", "log", "speaking", "--events", "--format", "json"]).succeeded().stdout;
    let mut next = [("stdout", 0), ("stderr", 0)];
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some((_name, last)) = next.iter_mut().find(|(name, _last)| event["source"] == *name) else {
            continue;
        };
        let number: u64 = event["message"].as_str().unwrap().parse().unwrap();
        assert!(number > *last, "{number} came after {last}");
        *last = number;
    }
    let kept = events.lines().filter(|line| !line.contains("\"source\":\"runner\"")).count() as u64;
    assert!((10_000..=20_000).contains(&kept), "{kept} events are kept");
    let left_out = 2 * NUMBERS - kept;
    assert!(events.contains(&format!("{left_out} further messages are only in the complete log")), "{kept}");
}

/// A line that an event cannot hold, so that it is seen whether the log itself was kept.
#[rstest]
#[case::and_another_goes_on(true, "success")]
#[case::and_nobody_runs_the_job_again(false, "error")]
fn what_an_earlier_row_said_is_kept_whole_though_its_worker_dies_in_the_next(
    #[case] is_adopted: bool,
    #[case] status: &str,
) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1, "attempts_max": 1 }));
    let row =
        |id: &str, script: &str| json!({ "id": id, "configuration": { "parameters": { "script": script } } });
    let long = "head -c 100000 /dev/zero | tr '\\0' x; echo";
    let data = json!({ "rows": [row("first", long), row("second", HOLDS)] });
    let request = json!({ "version": 1, "component": "raw-shell", "data": data });
    // A queue that nobody reads; here no events come to it.
    port.orchestrator.sleep_over_events();
    let reply_to = format!("{}.asleep", port.orchestrator.prefix);
    port.orchestrator.publish(&[json!({ "message_id": "rows", "request": request, "reply_to": reply_to })]);
    let mut doomed = port.worker(&[]);
    port.hears("rows", "begun");
    let elsewhere = (!is_adopted).then(|| Worker::on(port.machine(|_settings| {})));
    doomed.kill();
    let _heir = elsewhere.unwrap_or_else(|| port.worker(&[]));
    if is_adopted {
        port.release();
    }
    let ended = port.comes_to("rows", status);
    let told = eventually("the reply comes", || {
        serde_json::from_str::<Value>(port.orchestrator.peek("asleep").lines().next()?).ok()
    });
    assert_eq!(
        (&told["status"], &told["error"], &told["message"]),
        (&ended["status"], &ended["error"], &ended["message"])
    );
    let said = port.house.call(&["job", "log", "rows", "--raw"]).succeeded().stdout;
    let first = "x".repeat(100_000);
    if is_adopted {
        assert_eq!(said, format!("{first}\nbegun\n"));
    } else {
        assert_eq!(ended["error"]["code"], "runner_lost");
        assert_eq!(said, format!("{first}\n"));
    }
    eventually("the container is removed", || port.house.containers().is_empty().then_some(()));
}

/// Logs ten records, waits, and logs ten more over a new connection.
const SPEAKER: &str = r#"
import json, os, socket, time
address = (os.environ["KBC_LOGGER_ADDR"], int(os.environ["KBC_LOGGER_PORT"]))
def say(numbers):
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = socket.create_connection(address)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    for number in numbers:
        connection.sendall(json.dumps({"short_message": f"record {number}", "level": 6}).encode() + b"\0")
    connection.close()
say(range(10))
print("begun", flush=True)
while not os.path.exists("/tmp/go"):
    time.sleep(0.1)
say(range(10, 20))
"#;

#[test]
fn records_that_only_the_dead_worker_had_heard_are_kept_and_its_heir_hears_the_rest() {
    if !is_served() || !has_client() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    let spec = json!({
        "id": "speaker",
        "image": { "uri": "longshore-test/gelf-client", "tag": "1" },
        "resources": { "preset": "xsmall", "timeout": "5m", "disk": "64MiB" },
        "network": "none",
        "logging": { "type": "gelf" },
    });
    port.house.write("component-specs/speaker.json", spec.to_string());
    let mut doomed = port.worker(&[]);
    let data = json!({ "parameters": { "script": SPEAKER } });
    let request = json!({ "version": 1, "component": "speaker", "data": data });
    port.orchestrator.publish(&[json!({ "message_id": "gelf", "request": request })]);
    port.hears("gelf", "begun");
    port.hears("gelf", "record 9");
    doomed.kill();
    let _heir = port.worker(&[]);
    port.hears("gelf", "another one goes on with its container");
    port.release();
    port.house.call(&["job", "wait", "gelf", "--timeout", "5m"]).succeeded();
    let events = port.house.call(&["job", "log", "gelf", "--events", "--format", "json"]).succeeded().stdout;
    let told: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["source"] == "gelf")
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (0..20).map(|number| format!("record {number}")).collect();
    assert_eq!(told, expected);
    let log = port.house.call(&["job", "log", "gelf", "--stream", "gelf"]).succeeded().stdout;
    assert_eq!(log.lines().count(), 20, "{log}");
}
