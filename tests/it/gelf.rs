//! Components that log by GELF: with an unmodified public client, and with whatever bytes they like.

use std::fs;
use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, Ran, docker, fixture, has_engine};

/// Whether the image with the public client is there, after it was built where that is possible.
pub(crate) fn has_client() -> bool {
    if !has_engine() {
        return false;
    }
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/gelf-client");
    let files = fs::read_dir(&cache).into_iter().flatten().map(|entry| entry.unwrap().path());
    let wheel = files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let Some(wheel) = wheel else {
        #[expect(
            clippy::disallowed_methods,
            reason = "CI says by its environment that nothing may be skipped"
        )]
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "the GELF client is missing; scripts/gelf-client.sh fetches it");
        eprintln!(
            "SKIP (no GELF client; scripts/gelf-client.sh fetches it): {:?}",
            std::thread::current().name()
        );
        return false;
    };
    let context = tempfile::tempdir().unwrap();
    fs::copy(fixture("images/gelf-client/Dockerfile"), context.path().join("Dockerfile")).unwrap();
    fs::copy(wheel, context.path().join("client.whl")).unwrap();
    docker(&["build", "--quiet", "--tag", "longshore-test/gelf-client:1", context.path().to_str().unwrap()]);
    true
}

/// Runs a Python script as a component that logs by `transport`, with a secret among its parameters.
fn run(house: &House, transport: &str, network: &str, script: &str) -> Ran {
    let logging = json!({ "type": "gelf", "gelf_server_type": transport, "verbosity": { "250": "verbose" } });
    let spec = json!({
        "id": "speaker",
        "image": { "uri": "longshore-test/gelf-client", "tag": "1" },
        "resources": { "preset": "xsmall", "timeout": "60s" },
        "network": network,
        "logging": logging,
    });
    house.write("speaker.json", spec.to_string());
    let parameters = json!({ "script": script, "#password": "swordfish-9000" });
    house.write("task.json", json!({ "parameters": parameters }).to_string());
    house.call(&["run", "speaker.json", "--config", "task.json", "--format", "json"])
}

/// Events of GELF records, as `job log --events` tells them.
fn records(house: &House, ran: &Ran) -> Vec<Value> {
    let log = house.call(&["job", "log", &ran.job(), "--events", "--format", "json"]).succeeded().stdout;
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["source"] == "gelf").collect()
}

/// A tour through what the client can do, with a message that needs several chunks of UDP.
const TOUR: &str = r##"
import json, logging, os, pygelf
address = dict(host=os.environ["KBC_LOGGER_ADDR"], port=int(os.environ["KBC_LOGGER_PORT"]))
password = json.load(open("/data/config.json"))["parameters"]["#password"]
log = logging.getLogger()
log.setLevel(logging.DEBUG)
log.addHandler(HANDLER(**address, include_extra_fields=True, **OPTIONS))
log.debug("hidden")
log.info("info " + password)
log.warning("warning", extra={"rows": 3, "token": password})
log.error("x" * 30000)
log.critical("camouflaged")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
print("by stdout")
"##;

#[rstest]
#[case::tcp("tcp", "GelfTcpHandler", "{}", "bridge")]
#[case::udp_in_chunks("udp", "GelfUdpHandler", "dict(compress=False, chunk_size=1300)", "bridge")]
#[case::udp_compressed_and_without_a_network("udp", "GelfUdpHandler", "dict(compress=True)", "none")]
#[case::http("http", "GelfHttpHandler", "dict(compress=True)", "none")]
fn a_public_client_is_understood(
    #[case] transport: &str,
    #[case] handler: &str,
    #[case] options: &str,
    #[case] network: &str,
) {
    if !has_client() {
        return;
    }
    let house = House::new();
    let script = TOUR.replace("HANDLER", &format!("pygelf.{handler}")).replace("OPTIONS", options);
    let ran = run(&house, transport, network, &script).succeeded();
    let records = records(&house, &ran);
    let mut told: Vec<_> = records
        .iter()
        .map(|record| (record["level"].as_str().unwrap(), record["message"].as_str().unwrap().to_owned()))
        .collect();
    let neutral = "Application error: the component reported a problem of its own; its developer finds it in the complete log";
    let mut expected = [
        ("info", "info [hidden]".to_owned()),
        ("warning", "warning".to_owned()),
        ("error", "x".repeat(30_000)),
        ("critical", neutral.to_owned()),
        ("error", "failed".to_owned()),
    ];
    if transport == "http" {
        // This client opens a connection for each record and waits for none, so they may overtake each other.
        told.sort();
        expected.sort();
    }
    assert_eq!(told, expected);
    let fields =
        |message: &str| &records.iter().find(|record| record["message"] == message).unwrap()["fields"];
    let warning = fields("warning");
    assert_eq!((&warning["_rows"], &warning["_token"]), (&json!(3), &json!("[hidden]")), "{warning}");
    assert!(fields("failed")["full_message"].as_str().unwrap().contains("ZeroDivisionError"));

    let log = house.call(&["job", "log", &ran.job()]).succeeded().stdout;
    for said in ["hidden\"", "camouflaged", "by stdout\n"] {
        assert!(log.contains(said), "the complete log lacks {said}");
    }
    let needle = b"swordfish-9000";
    let is_leaked = house.all_bytes().windows(needle.len()).any(|window| window == needle);
    assert!(!is_leaked && !ran.stderr.contains("swordfish-9000"), "{}", ran.stderr);
    house.is_clean();
}

#[test]
fn bytes_that_are_no_gelf_are_told_and_an_emergency_explains_the_failure() {
    if !has_client() {
        return;
    }
    let house = House::new();
    let script = r#"
import os, socket
socket = socket.create_connection((os.environ["KBC_LOGGER_ADDR"], int(os.environ["KBC_LOGGER_PORT"])))
socket.sendall(b"garbage swordfish-9000 \xff\x00")
socket.sendall(b'{"version":"1.1","host":"elsewhere","short_message":"the end","level":3}\x00')
os._exit(1)
"#;
    let ran = run(&house, "tcp", "none", script).failed(1);
    assert_eq!((ran.error_code(), ran.message()), ("component_user_error".to_owned(), "the end".to_owned()));
    let told: Vec<_> = records(&house, &ran).iter().map(|record| record["message"].clone()).collect();
    assert_eq!(told, [json!("invalid message, not GELF: garbage [hidden] \u{fffd}"), json!("the end")]);
    house.is_clean();
}

/// Bytes said on stdout and by GELF: the limit of 1 MiB holds for both together.
#[rstest]
#[case::within_the_limit_together(400_000, 0)]
#[case::over_it_only_together(600_000, 1)]
fn the_log_has_one_limit_for_everything_that_a_component_says(#[case] bytes_of_each: u64, #[case] code: i32) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.write("longshore.yaml", json!({ "log_bytes_max": "1m" }).to_string());
    let spec = fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
    house.write("component-specs/raw-shell.yaml", spec + "logging: {type: gelf, gelf_server_type: tcp}\n");
    let script = format!(
        "x() {{ head -c {bytes_of_each} /dev/zero | tr '\\0' x; }}; x; echo; \
         (printf '{{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"'; x; printf '\"}}\\0') \
         | nc -w 10 $KBC_LOGGER_ADDR $KBC_LOGGER_PORT"
    );
    house.write("task.json", json!({ "parameters": { "script": script } }).to_string());
    let ran = house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"]).failed(code);
    assert_eq!(ran.error_code(), if code == 0 { "none" } else { "size_limit" });
    let is_told = ran.message().starts_with("the log grew over its limit of 1 MiB");
    assert_eq!(is_told, code == 1, "{}", ran.message());
    house.is_clean();
}

#[test]
fn a_flood_of_blanks_keeps_nobody_busy() {
    if !has_client() {
        return;
    }
    let house = House::new();
    // What follows is heard only once all of them were taken; before the component's own time is over.
    let script = r#"
import os, socket
address = (os.environ["KBC_LOGGER_ADDR"], int(os.environ["KBC_LOGGER_PORT"]))
for begin in (b"", b'{"short_message":"open",'):
    with socket.create_connection(address) as connection:
        connection.sendall(begin + b"\n" * 8_000_000)
        connection.sendall(b'\x00{"short_message":"heard"}\x00')
        # What still waits in a container's own buffers is gone with it.
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
"#;
    let ran = run(&house, "tcp", "none", script).succeeded();
    let told: Vec<_> = records(&house, &ran).iter().map(|record| record["message"].clone()).collect();
    assert_eq!(told[0], json!("heard"));
    assert_eq!((told.len(), &told[2]), (3, &json!("heard")));
    house.is_clean();
}
