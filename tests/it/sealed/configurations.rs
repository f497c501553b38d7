//! Whole configurations, and the keys that open them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{SECRET, SHOWS, holds_nothing, house, run, sealed, stored_file};
use crate::house::has_engine;

#[test]
fn a_configuration_file_is_encrypted_in_place_and_rotated_to_a_new_key() {
    if !has_engine() {
        return;
    }
    let house = house();
    house.call(&["secret", "keygen", "--out", "old.key"]).succeeded();
    house.write("longshore.yaml", "secrets: {identity_file: old.key, in_outputs: ignore}\n");
    let text = format!(
        "# mine\nparameters:\n  script: |\n    {SHOWS}\nauthorization:\n  oauth_api:\n    credentials:\n      '#token': token-1234567 # a secret\n"
    );
    let file = house.write("task.yaml", &text);
    let printed =
        house.call(&["secret", "encrypt", "--component", "raw-shell", "--config", "task.yaml"]).succeeded();
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "it was printed and left alone");
    let arguments = [
        "secret",
        "encrypt",
        "--component",
        "raw-shell",
        "--configuration",
        "task",
        "--config",
        "task.yaml",
        "--in-place",
    ];
    let noted = house.call(&arguments).succeeded();
    assert!(noted.stderr.contains("1 value of task.yaml encrypted"), "{}", noted.stderr);
    let before = fs::read_to_string(&file).unwrap();
    for sealed in [&printed.stdout, &before] {
        assert!(sealed.starts_with("# mine\n") && sealed.ends_with("\" # a secret\n"), "{sealed}");
        assert!(sealed.contains("longshore:v1:") && !sealed.contains("token-1234567"), "{sealed}");
    }

    house.call(&["config", "put", "raw-shell", "task", "task.yaml"]).succeeded();
    house.call(&["secret", "keygen", "--out", "new.key"]).succeeded();
    let keys = ["new.key", "old.key"].map(|key| fs::read_to_string(house.path().join(key)).unwrap()).concat();
    let both = house.write("both.key", keys);
    fs::set_permissions(both, fs::Permissions::from_mode(0o600)).unwrap();
    house.write("longshore.yaml", "secrets: {identity_file: both.key, in_outputs: ignore}\n");
    let rotate = |more: &[&str]| {
        let ran = house.call(&[&["secret", "rotate", "--format", "json"], more].concat());
        ran.succeeded().document()
    };
    let one = |what: &str| {
        let mut report = json!({ "values": 1, "files": 0, "configurations": 0, "states": 0 });
        report[what] = json!(1);
        report
    };
    assert_eq!(rotate(&["task.yaml"]), one("files"));
    assert_eq!(rotate(&[]), one("configurations"));
    assert_eq!(rotate(&[])["values"], 0, "all are the new key's already");

    house.write("longshore.yaml", "secrets: {identity_file: new.key, in_outputs: ignore}\n");
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).succeeded();
    assert_eq!(stored_file(&house, "seen"), "token=token-1234567\n");
    let stored = house.call(&["config", "get", "raw-shell", "task"]).succeeded().stdout;
    house.write("task.yaml", stored);
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).succeeded();
    house.write("task.yaml", before);
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).failed(1);
    // Whoever rotates learns what would be lost with the old key.
    let refused = house.call(&["secret", "rotate", "task.yaml"]).failed(1);
    assert!(refused.stderr.contains("keep the old keys until nothing is refused"), "{}", refused.stderr);
}

#[test]
fn what_a_local_project_stores_and_submits_is_encrypted_first() {
    let house = house();
    let text = format!(
        "parameters: {{script: 'true'}}\nauthorization: {{oauth_api: {{credentials: {{'#token': '{SECRET}'}}}}}}\n"
    );
    house.write("task.yaml", &text);
    let put =
        || house.call(&["config", "put", "raw-shell", "task", "task.yaml", "--format", "json"]).succeeded();
    let first = put();
    assert!(first.stderr.contains("its secrets are stored encrypted"), "{}", first.stderr);
    assert_eq!((&first.document()["version"], &put().document()["is_new"]), (&json!(1), &json!(false)));
    let stored = house.call(&["config", "get", "raw-shell", "task"]).succeeded().stdout;
    assert!(
        stored.contains("\nauthorization: {oauth_api: {credentials: {'#token': \"longshore:v1:"),
        "{stored}"
    );
    house.call(&["submit", "raw-shell", "--config", "task.yaml"]).succeeded();
    holds_nothing(&house, "swordfish-9000");
}

#[test]
fn a_missing_and_a_careless_key_are_told_with_the_remedy() {
    let house = house();
    let token = sealed(&house, "raw-shell", None, SECRET);
    let project_key = house.path().join(".longshore/secret.key");
    assert_eq!(fs::metadata(&project_key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(house.path().join(".longshore/.gitignore")).unwrap(), "*\n");

    let public = house.call(&["secret", "keygen", "--out", "other.key"]).succeeded().stdout;
    house.write("longshore.yaml", "secrets: {identity_file: other.key}\n");
    let credentials = json!({ "#token": token });
    let ran = run(&house, "raw-shell", "task", "true", &credentials).failed(1);
    let have = public.get(..12).unwrap();
    assert!(
        ran.stderr.contains("is encrypted for the key age1") && ran.stderr.contains(have),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("secrets.identity_file"), "{}", ran.stderr);

    fs::set_permissions(house.path().join("other.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = run(&house, "raw-shell", "task", "true", &credentials).failed(1);
    assert!(ran.stderr.contains("may be read by others (mode 644): chmod 600"), "{}", ran.stderr);

    house.call(&["secret", "keygen", "--out", "other.key"]).failed(1);
    house.write("longshore.yaml", "secrets: {identity_file: none.key}\n");
    let ran = run(&house, "raw-shell", "task", "true", &credentials).failed(1);
    assert!(ran.stderr.contains("there is no key file") && ran.stderr.contains("none.key"), "{}", ran.stderr);
    assert!(ran.stderr.contains("longshore secret keygen --out"), "{}", ran.stderr);
}
