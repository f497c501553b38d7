//! Secrets that are encrypted where they lie: what opens where, what is refused, and that nothing of them stays.

mod configurations;
mod envelopes;
mod leaks;
mod states;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::house::{House, Ran, fixture, ran};

const SECRET: &str = "swordfish-9000-\u{e9}t\u{e9}";

/// Copies what the component was given under `#token` and `#deep` to a table.
const SHOWS: &str =
    "sed -n 's/.*\"#\\(token\\|n\\)\": \\(.*\\)$/\\1=\\2/p' config.json | tr -d '\",' | sort >out/files/seen";

/// A project with one component, `raw-shell`.
fn house() -> House {
    let house = House::new();
    add_component(&house, "raw-shell", "");
    house
}

fn add_component(house: &House, id: &str, more: &str) {
    let spec = fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
    let spec = spec.replace("id: raw-shell", &format!("id: {id}"));
    house.write(&format!("component-specs/{id}.yaml"), format!("{spec}{more}"));
}

fn call_with_input(house: &House, arguments: &[&str], input: &str) -> Ran {
    let mut command = house.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

/// A value sealed for a component, and for one of its configurations where that is named.
fn sealed(house: &House, component: &str, configuration: Option<&str>, value: &str) -> String {
    let mut arguments = vec!["secret", "encrypt", "--component", component];
    arguments.extend(configuration.map(|id| ["--configuration", id]).iter().flatten());
    call_with_input(house, &arguments, &format!("{value}\n")).succeeded().stdout.trim_end().to_owned()
}

/// Runs a script with credentials, which the component passes over: `raw-shell` takes no parameters of its own.
fn run(house: &House, component: &str, name: &str, script: &str, credentials: &Value) -> Ran {
    let file = format!("{name}.json");
    house.write(&file, configuration(script, credentials).to_string());
    house.call(&["run", component, "--config", &file, "--format", "json"])
}

fn configuration(script: &str, credentials: &Value) -> Value {
    json!({ "parameters": { "script": script }, "authorization": { "oauth_api": { "credentials": credentials } } })
}

/// The text of the newest file of that name.
fn stored_file(house: &House, name: &str) -> String {
    let files = house.call(&["file", "ls", "--format", "json"]).succeeded().document();
    let named = files.as_array().unwrap().iter().filter(|file| file["name"] == name);
    let newest = named.map(|file| file["id"].as_u64().unwrap()).max().unwrap();
    house.call(&["file", "get", &newest.to_string(), "--output", "-"]).succeeded().stdout
}

/// Asserts that no file of the project's own data holds a text.
fn holds_nothing(house: &House, needle: &str) {
    let bytes = house.all_bytes();
    assert!(
        !bytes.windows(needle.len()).any(|window| window == needle.as_bytes()),
        "{needle} is in the project's data"
    );
}
