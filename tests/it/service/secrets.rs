//! Secrets in the service: nothing plain is taken in, and nothing plain is stored.

use std::fs;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use super::{HOLDS, Port, Worker, eventually, is_served};
use crate::house::House;

const SECRET: &str = "swordfish-served-9000";

/// A key of the service's own; `rules` are what the settings say of secrets beside it.
fn put_key(port: &Port, mut rules: Value) -> String {
    let key = port.house.call(&["secret", "keygen", "--out", "service.key"]).succeeded().stdout;
    let mut settings: Value =
        serde_json::from_str(&fs::read_to_string(port.house.path().join("longshore.yaml")).unwrap()).unwrap();
    rules["identity_file"] = json!("service.key");
    settings["secrets"] = rules;
    port.house.write("longshore.yaml", settings.to_string());
    key.trim().to_owned()
}

fn sealed(house: &House, recipient: &str) -> String {
    house.write("value", SECRET);
    let arguments = ["secret", "encrypt", "--component", "raw-shell", "--recipient", recipient, "value"];
    house.call(&arguments).succeeded().stdout.trim().to_owned()
}

fn message(key: &str, token: &str, script: &str) -> Value {
    let credentials = json!({ "oauth_api": { "credentials": { "#token": token } } });
    let data = json!({ "parameters": { "script": script }, "authorization": credentials });
    json!({ "message_id": key, "request": { "version": 1, "component": "raw-shell", "data": data } })
}

/// Every row of the catalog's database that may hold what somebody said or sent.
fn rows(port: &Port) -> String {
    let url = port.settings["catalog"]["url"].as_str().unwrap();
    let mut text = String::new();
    for table in ["jobs", "attempts", "events", "configurations", "states"] {
        let output = Command::new("psql")
            .args([url, "--quiet", "--tuples-only", "--command", &format!("SELECT t.*::text FROM {table} t")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        text += &String::from_utf8_lossy(&output.stdout);
    }
    text
}

#[test]
fn a_sealed_secret_reaches_the_component_and_no_row_of_the_database() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let key = put_key(&port, json!({}));
    let token = sealed(&port.house, &key);
    let script = "grep -c swordfish-served config.json; sed -n 's/.*\"#token\"/x/p' config.json; half=state-secret; echo '{\"#t\": \"'$half'-77\"}' >out/state.json";
    let mut request = message("sealed", &token, script);
    request["request"]["configuration"] = json!("nightly");
    port.orchestrator.publish(&[request]);
    let worker = port.worker(&[]);
    port.comes_to("sealed", "success");
    let log = port.house.call(&["job", "log", "sealed"]).succeeded().stdout;
    assert!(log.contains("2\n") && log.contains("[hidden]"), "{log}");
    let rows = rows(&port);
    assert!(rows.contains("longshore:v1:") && rows.contains("nightly"), "{rows}");
    for secret in [SECRET, "state-secret-77"] {
        assert!(!rows.contains(secret), "{rows}");
        assert!(!worker.said().contains(secret), "{}", worker.said());
    }
}

#[test]
fn a_plain_secret_that_is_accepted_is_stored_encrypted() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    put_key(&port, json!({ "plain": "accept" }));
    let script = "grep -c swordfish-served config.json";
    port.orchestrator.publish(&[message("plain", SECRET, script)]);
    let worker = port.worker(&[]);
    port.comes_to("plain", "success");
    // In the script itself, and under `#token`.
    assert_eq!(port.house.call(&["job", "log", "plain"]).succeeded().stdout, "2\n");
    let rows = rows(&port);
    assert!(rows.contains("longshore:v1:") && !rows.contains(SECRET), "{rows}");
    assert!(!worker.said().contains(SECRET), "{}", worker.said());
}

#[test]
fn a_plain_secret_is_refused_by_every_door_and_not_kept_behind_any() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let worker = port.worker(&[]);
    port.orchestrator.publish(&[message("plain", SECRET, "true")]);
    let dead = eventually("the message is a dead letter", || {
        let dead = port.house.call(&["queue", "dead", "--format", "json"]).succeeded().document();
        dead.as_array().filter(|letters| !letters.is_empty()).cloned()
    });
    let reason = dead[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("data.authorization.oauth_api.credentials.#token")
            && reason.contains("longshore secret encrypt"),
        "{reason}"
    );
    assert!(!dead[0].to_string().contains(SECRET));
    let body = port.orchestrator.peek("dead");
    assert!(body.contains("(hidden)") && !body.contains(SECRET), "{body}");
    // The body itself was masked before it was put away, so that putting it back gives nothing away.
    port.house.call(&["queue", "dead", "--requeue"]).succeeded();
    let again = eventually("it is refused again", || {
        let dead = port.house.call(&["queue", "dead", "--format", "json"]).succeeded().document();
        dead.as_array().filter(|letters| !letters.is_empty()).cloned()
    });
    assert!(again[0].to_string().contains("(hidden)"), "{}", again[0]);

    port.house.write("task.yaml", format!("parameters: {{script: 'true'}}\nauthorization: {{oauth_api: {{credentials: {{'#token': {SECRET}}}}}}}\n"));
    for arguments in [
        &["submit", "raw-shell", "--config", "task.yaml"][..],
        &["config", "put", "raw-shell", "task", "task.yaml"],
        &["run", "raw-shell", "--config", "task.yaml"],
    ] {
        let refused = port.house.call(arguments).failed(1);
        let words = "task.yaml:2:53: authorization.oauth_api.credentials.#token: is a secret in plain text";
        assert!(refused.stderr.contains(words) && !refused.stderr.contains(SECRET), "{}", refused.stderr);
    }
    assert!(!rows(&port).contains(SECRET));
    assert!(!worker.said().contains(SECRET), "{}", worker.said());
}

/// The first row leaves its secret in a table; the second one waits until its worker is dead.
#[rstest]
#[case::whose_container_is_adopted(true)]
#[case::that_another_machine_begins_anew(false)]
fn a_leak_of_an_earlier_row_ends_a_job_as_a_warning_though_its_worker_died(#[case] is_adopted: bool) {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 1 }));
    let token = sealed(&port.house, &put_key(&port, json!({})));
    let leaks = "s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); printf 'n\n%s\n' $s >out/tables/t.csv";
    let output = json!({ "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] });
    let row =
        |id: &str, script: &str| json!({ "id": id, "configuration": { "parameters": { "script": script } } });
    let mut first = row("first", leaks);
    first["configuration"]["storage"] = json!({ "output": output });
    let configuration = json!({
        "authorization": { "oauth_api": { "credentials": { "#token": token } } },
        "rows": [first, row("second", HOLDS)],
    });
    port.house.write("task.json", configuration.to_string());
    port.house.call(&["submit", "raw-shell", "--config", "task.json", "--id", "job"]).succeeded();
    let mut doomed = port.worker(&[]);
    port.hears("job", "begun");
    let found = "out/tables/t.csv holds a secret of the configuration, first on line 2";
    let leaks = json!([{ "unit": 0, "found": found }]);
    assert_eq!(port.job("job").document()["leaks"], leaks);
    let other = (!is_adopted).then(|| {
        let key = port.house.path().join("service.key");
        Worker::on(port.machine(|settings| settings["secrets"] = json!({ "identity_file": key })))
    });
    doomed.kill();
    let heir = other.unwrap_or_else(|| port.worker(&[]));

    let document = eventually("the job ends with a warning", || {
        // Whichever container there is, the one that was adopted or the next attempt's.
        port.release();
        Some(port.job("job").document()).filter(|document| document["status"] == "warning")
    });
    assert_eq!((&document["message"], &document["leaks"]), (&json!(found), &leaks), "{}", heir.said());
    assert_eq!(document["attempt"], if is_adopted { 1 } else { 2 });
    assert_eq!(port.house.versions("out.c-main.t"), [1]);
    eventually("the dead worker's container is removed", || port.house.containers().is_empty().then_some(()));
}
