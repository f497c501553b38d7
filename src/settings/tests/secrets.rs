//! The settings of secrets: where keys are, and what is allowed where.

use super::*;
use crate::secret::{Generated, LeakPolicy, PlainPolicy};

const CATALOG: &str = "catalog: {url: 'postgres://db/x'}\n";

#[test]
fn plain_secrets_are_for_a_local_project_unless_somebody_says_otherwise() {
    let plain = |text: &str| load(text, &[]).unwrap().secret_rules().plain;
    assert_eq!(plain(""), PlainPolicy::Accept);
    assert_eq!(plain("queue: {url: 'amqp://mq'}"), PlainPolicy::Refuse);
    assert_eq!(plain(CATALOG), PlainPolicy::Refuse);
    assert_eq!(plain("secrets: {plain: refuse}"), PlainPolicy::Refuse);
    assert_eq!(plain(&format!("{CATALOG}secrets: {{plain: accept, identity_file: k}}")), PlainPolicy::Accept);
}

#[test]
fn a_key_of_its_own_is_for_a_project_that_no_other_machine_shares() {
    let makes = |text: &str| load(text, &[]).unwrap().secret_rules().keyring.makes_its_own();
    assert!(makes("") && makes("queue: {url: 'amqp://mq'}"));
    assert!(!makes(CATALOG) && !makes("secrets: {identity_file: k}"));
}

#[test]
fn every_key_of_secrets_reaches_its_room_from_the_file_and_from_the_environment() {
    let (one, two) = (Generated::fresh().public, Generated::fresh().public);
    let text = format!(
        "secrets: {{identity_file: keys/k, recipients: [{one}, {two}], plain: refuse, in_outputs: block}}"
    );
    let joined = format!("{one}, {two}");
    let environment = [
        ("LONGSHORE_SECRETS_IDENTITY_FILE", "keys/k"),
        ("LONGSHORE_SECRETS_RECIPIENTS", joined.as_str()),
        ("LONGSHORE_SECRETS_PLAIN", "refuse"),
        ("LONGSHORE_SECRETS_IN_OUTPUTS", "block"),
    ];
    for settings in [load(&text, &[]).unwrap(), load("", &environment).unwrap()] {
        let rules = settings.secret_rules();
        assert_eq!(rules.keyring.identity_file, Some(settings.project_dir.join("keys/k")));
        assert_eq!(rules.keyring.recipients, [one.clone(), two.clone()]);
        assert_eq!((rules.plain, rules.in_outputs), (PlainPolicy::Refuse, LeakPolicy::Block));
    }
    let from_environment =
        load("secrets: {identity_file: k}", &[("LONGSHORE_SECRETS_IDENTITY", "AGE-SECRET-KEY-1X")]);
    let keyring = from_environment.unwrap().secret_rules().keyring;
    assert_eq!((keyring.identity.is_some(), keyring.identity_file), (true, None));
}

#[test]
fn mistakes_about_secrets_are_told_without_the_key() {
    let text = format!(
        "{CATALOG}secrets: {{identity: AGE-SECRET-KEY-1HIDDEN, identity_file: k, recipients: [age1short], plain: perhaps}}"
    );
    let said = super::said(&text, &[]);
    assert!(said.contains("secrets.identity_file: `identity` is there too: give one of the two"), "{said}");
    assert!(said.contains("secrets.recipients: \"age1short\" is not a public key: expected age1…"), "{said}");
    assert!(said.contains("secrets.plain: expected one of accept, refuse"), "{said}");
    assert!(!said.contains("HIDDEN"), "{said}");
    let shared = super::said(&format!("{CATALOG}secrets: {{plain: accept}}"), &[]);
    assert!(
        shared.contains("secrets.plain: plain secrets would lie in the shared catalog as they are"),
        "{shared}"
    );
}
