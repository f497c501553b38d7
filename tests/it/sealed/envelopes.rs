//! Single values: for whom they open, and where they are taken from.

use serde_json::json;

use super::{SECRET, SHOWS, add_component, call_with_input, house, run, sealed, stored_file};
use crate::house::has_engine;

#[test]
fn a_component_reads_what_was_encrypted_for_it() {
    if !has_engine() {
        return;
    }
    let house = house();
    let token = sealed(&house, "raw-shell", None, "token-1234567");
    let number = sealed(&house, "raw-shell", Some("task"), "other-7654321");
    let credentials = json!({ "#token": token, "nested": { "#n": number } });
    house.write("longshore.yaml", "secrets: {in_outputs: ignore}\n");
    run(&house, "raw-shell", "task", SHOWS, &credentials).succeeded();
    assert_eq!(stored_file(&house, "seen"), "n=other-7654321\ntoken=token-1234567\n");
}

#[test]
fn a_stolen_ciphertext_is_refused_in_another_component_and_in_another_configuration() {
    let house = house();
    add_component(&house, "raw-two", "");
    let token = sealed(&house, "raw-shell", Some("task"), SECRET);
    let refused = |component: &str, name: &str, words: &str| {
        let ran = run(&house, component, name, "true", &json!({ "deep": { "#token": token } })).failed(1);
        assert!(
            ran.stderr.contains("authorization.oauth_api.credentials.deep.#token")
                && ran.stderr.contains(words),
            "{component} {name}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains(&format!("longshore secret encrypt --component {component}")),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
    };
    refused("raw-two", "task", "was encrypted for another component");
    refused("raw-shell", "other", "was encrypted for another configuration");
    let cut = token.get(..token.len() - 8).unwrap();
    let ran = run(&house, "raw-shell", "task", "true", &json!({ "#token": cut })).failed(1);
    assert!(ran.stderr.contains("credentials.#token: is damaged"), "{}", ran.stderr);
}

#[test]
fn a_secret_of_the_spec_is_opened_for_the_component_and_for_no_configuration() {
    if !has_engine() {
        return;
    }
    let house = house();
    let platform = sealed(&house, "raw-two", None, "platform-77777");
    add_component(&house, "raw-two", &format!("image_parameters:\n  '#token': {platform}\n"));
    house.write("longshore.yaml", "secrets: {in_outputs: ignore}\n");
    run(&house, "raw-two", "task", SHOWS, &json!({})).succeeded();
    assert_eq!(stored_file(&house, "seen"), "token=platform-77777\n");
    // Another ciphertext of the same secret, as somebody with the public key could make of a guess.
    let again = sealed(&house, "raw-two", None, "platform-77777");
    for stolen in [&platform, &again] {
        let ran = run(&house, "raw-two", "thief", "true", &json!({ "#mine": stolen })).failed(1);
        assert!(ran.stderr.contains("a secret of the component cannot be used"), "{}", ran.stderr);
    }
}

#[test]
fn a_plain_secret_of_the_spec_is_refused_where_plain_ones_are() {
    let house = house();
    add_component(&house, "raw-two", "image_parameters:\n  deep: {'#token': platform-77777}\n");
    house.write("longshore.yaml", "secrets: {plain: refuse}\n");
    let ran = run(&house, "raw-two", "task", "true", &json!({})).failed(1);
    for words in [
        "raw-two.yaml: image_parameters.deep.#token: is a secret in plain text",
        "longshore secret encrypt --component raw-two)",
    ] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("platform-77777"), "{}", ran.stderr);
}

#[test]
fn a_value_is_taken_from_a_file_or_a_pipe_and_never_from_the_command_line() {
    let house = house();
    let key = house.call(&["secret", "keygen", "--out", "k.key", "--format", "json"]).succeeded().document();
    let recipient = key["public_key"].as_str().unwrap();
    house.write("value.txt", "one line\n");
    let arguments = ["secret", "encrypt", "--component", "raw-shell", "--recipient", recipient, "value.txt"];
    let sealed = house.call(&arguments).succeeded().stdout;
    assert!(sealed.starts_with(&format!("longshore:v1:{}:", recipient.get(4..12).unwrap())), "{sealed}");
    // Nothing of a project was made for it: the key was given.
    assert!(!house.path().join(".longshore").exists());
    let refused = house.call(&["secret", "encrypt", "--component", "raw-shell", "no-such-file"]).failed(1);
    assert!(refused.stderr.contains("there is no such file"), "{}", refused.stderr);
    call_with_input(&house, &["secret", "encrypt", "--component", "raw-shell"], "\n").failed(1);
    let nothing = call_with_input(&house, &["secret", "encrypt", "--component", "raw-shell"], "").failed(1);
    assert!(nothing.stderr.contains("write it to standard input"), "{}", nothing.stderr);
    let printed = house.call(&["secret", "keygen"]).succeeded();
    assert!(printed.stdout.contains("AGE-SECRET-KEY-1") && printed.stderr.contains("public key: age1"));
}
