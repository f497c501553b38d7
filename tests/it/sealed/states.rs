//! States, whose secrets the component itself makes.

use std::fs;

use serde_json::{Value, json};

use super::{holds_nothing, house, run, stored_file};
use crate::house::has_engine;

#[test]
fn a_state_is_encrypted_at_rest_and_plain_for_its_component() {
    if !has_engine() {
        return;
    }
    let house = house();
    let script = "cat in/state.json >&2; fresh=fresh-; echo '{\"#refresh\": \"'$fresh'token-99\", \"n\": 1}' >out/state.json; grep -q token-99 in/state.json && cp in/state.json out/files/state || true";
    house.write("longshore.yaml", "secrets: {in_outputs: ignore}\n");
    let first = run(&house, "raw-shell", "task", script, &json!({})).succeeded();
    holds_nothing(&house, "fresh-token-99");
    let second = run(&house, "raw-shell", "task", script, &json!({})).succeeded();
    let state: Value = serde_json::from_str(&stored_file(&house, "state")).unwrap();
    assert_eq!(state, json!({ "#refresh": "fresh-token-99", "n": 1 }));
    // What it was given is masked when it is said, though no configuration holds it.
    assert!(second.stderr.contains("\"#refresh\": \"[hidden]\""), "{}", second.stderr);
    assert_ne!(first.job(), second.job());
    house.call(&["secret", "keygen", "--out", "new.key"]).succeeded();
    let old = fs::read_to_string(house.path().join(".longshore/secret.key")).unwrap();
    let both = fs::read_to_string(house.path().join("new.key")).unwrap() + &old;
    house.write("new.key", both);
    house.write("longshore.yaml", "secrets: {identity_file: new.key, in_outputs: ignore}\n");
    let rotated = house.call(&["secret", "rotate", "--format", "json"]).succeeded().document();
    assert_eq!((&rotated["states"], &rotated["values"]), (&json!(1), &json!(1)));
    let third = run(&house, "raw-shell", "task", script, &json!({})).succeeded();
    assert!(third.stderr.contains("\"#refresh\": \"[hidden]\""), "{}", third.stderr);
}

#[test]
fn a_state_that_would_stop_the_next_run_by_its_secrets_is_refused() {
    if !has_engine() {
        return;
    }
    let house = house();
    let many = r##"awk 'BEGIN { printf "{\"n\": 0"; for (i = 0; i < 1001; i++) printf ",\"#%d\": \"x%d\"", i, i; print "}" }' >out/state.json"##;
    let long =
        r##"x=$(head -c 300000 /dev/zero | tr '\0' x); echo "{\"#a\": {\"b\": [\"$x\"]}}" >out/state.json"##;
    let sealed = r##"echo '{"n": {"#a": "longshore:v1:AAAAAAAA:zzzz"}}' >out/state.json"##;
    let tricks = [
        (many, "keeps 1001 values"),
        (long, "keeps 1 values of 300000 bytes"),
        (sealed, "n.#a is encrypted"),
    ];
    for (script, expected) in tricks {
        let ran = run(&house, "raw-shell", "task", script, &json!({})).failed(1);
        assert_eq!(ran.error_code(), "output_invalid");
        assert!(ran.message().contains(expected), "{}", ran.message());
    }
}
