//! Keys and sealed values: what opens, and what does not and why.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;
use crate::job::{ComponentId, ConfigurationId};

fn component(id: &str) -> ComponentId {
    id.parse().unwrap()
}

fn keys() -> Keys {
    Keys::parse(Generated::fresh().file.reveal(), "test").unwrap()
}

#[test]
fn a_value_opens_where_it_belongs_and_nowhere_else() {
    let (keys, shop, other) = (keys(), component("acme.shop"), component("acme.other"));
    let (night, day): (ConfigurationId, ConfigurationId) = ("night".parse().unwrap(), "day".parse().unwrap());
    let binding = |component, configuration| Binding { component, configuration };
    for value in [json!("swordfish"), json!(42), json!("{\"a\": 1}")] {
        let of_component = seal(&value, binding(&shop, None), &keys).unwrap();
        assert_eq!(open(&of_component, binding(&shop, None), &keys), Ok(value.clone()));
        assert_eq!(open(&of_component, binding(&shop, Some(&day)), &keys), Ok(value.clone()));
        assert_eq!(open(&of_component, binding(&other, None), &keys), Err(OpenError::OtherComponent));
        let of_night = seal(&value, binding(&shop, Some(&night)), &keys).unwrap();
        assert_eq!(open(&of_night, binding(&shop, Some(&night)), &keys), Ok(value));
        assert_eq!(open(&of_night, binding(&shop, Some(&day)), &keys), Err(OpenError::OtherConfiguration));
        assert_eq!(open(&of_night, binding(&shop, None), &keys), Err(OpenError::OtherConfiguration));
        assert_eq!(open(&of_night, binding(&other, Some(&night)), &keys), Err(OpenError::OtherComponent));
    }
}

#[test]
fn sealing_twice_gives_two_texts_and_none_of_them_holds_the_value() {
    let (keys, shop) = (keys(), component("acme.shop"));
    let binding = Binding { component: &shop, configuration: None };
    let seal = || seal(&json!("swordfish"), binding, &keys).unwrap();
    let (one, two) = (seal(), seal());
    assert_ne!(one, two);
    assert!(is_sealed(&one) && !one.contains("swordfish") && !one.contains("acme"), "{one}");
}

#[test]
fn what_is_cut_or_changed_anywhere_does_not_open() {
    let (keys, shop) = (keys(), component("acme.shop"));
    let binding = Binding { component: &shop, configuration: None };
    let sealed = seal(&json!("swordfish"), binding, &keys).unwrap();
    let message_at = sealed.rfind(':').unwrap() + 1;
    for length in (0..sealed.len()).step_by(7) {
        let cut: String = sealed.chars().take(length).collect();
        assert!(open(&cut, binding, &keys).is_err(), "{length} characters opened");
    }
    for at in (message_at..sealed.len() - 2).step_by(11) {
        let mut bytes = sealed.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(open(&changed, binding, &keys), Err(OpenError::Damaged), "character {at}");
    }
    let later = sealed.replacen("v1", "v2", 1);
    assert_eq!(open(&later, binding, &keys), Err(OpenError::UnknownVersion));
}

#[test]
fn a_missing_key_is_named_by_its_beginning() {
    let (made_for, here, shop) = (keys(), keys(), component("acme.shop"));
    let binding = Binding { component: &shop, configuration: None };
    let sealed = seal(&json!("swordfish"), binding, &made_for).unwrap();
    let hint = |keys: &Keys| keys.public().unwrap().get(4..12).unwrap().to_owned();
    let missing = OpenError::NoKey { made_for: vec![hint(&made_for)], have: vec![hint(&here)] };
    assert_eq!(open(&sealed, binding, &here), Err(missing.clone()));
    assert!(missing.to_string().contains(&format!("age1{}…", hint(&made_for))), "{missing}");
    assert_eq!(open(&sealed, binding, &Keys::default()), Err(OpenError::NoKeyAtAll));
    // What stands in the open is not believed further than that.
    let forged = sealed.replacen(&hint(&made_for), "<script>", 1);
    assert_eq!(open(&forged, binding, &here), Err(OpenError::Damaged));
}

#[test]
fn every_reader_opens_and_a_new_first_key_takes_over() {
    let (old, new) = (Generated::fresh(), Generated::fresh());
    let escrow = keys();
    let shop = component("acme.shop");
    let binding = Binding { component: &shop, configuration: None };
    let before = Keys::parse(old.file.reveal(), "old").unwrap();
    let before = before.with_recipients(&[escrow.public().unwrap()]).unwrap();
    let sealed = seal(&json!("swordfish"), binding, &before).unwrap();
    assert_eq!(open(&sealed, binding, &escrow), Ok(json!("swordfish")));

    let both = format!("{}{}", new.file.reveal(), old.file.reveal());
    let both = Keys::parse(&both, "both").unwrap();
    assert_eq!(open(&sealed, binding, &both), Ok(json!("swordfish")));
    let again = reseal(&sealed, &both).unwrap().unwrap();
    let after = Keys::parse(new.file.reveal(), "new").unwrap();
    assert_eq!(open(&again, binding, &after), Ok(json!("swordfish")));
    assert!(open(&again, binding, &before).is_err() && open(&again, binding, &escrow).is_err());
    assert_eq!(reseal(&again, &both).unwrap(), None, "it is the new key's already");
    let other = component("acme.other");
    let elsewhere = Binding { component: &other, configuration: None };
    assert_eq!(open(&again, elsewhere, &after), Err(OpenError::OtherComponent), "the binding went along");
}

#[test]
fn values_of_a_document_are_sealed_and_opened_where_they_stand() {
    let (keys, shop) = (keys(), component("acme.shop"));
    let binding = Binding { component: &shop, configuration: None };
    let plain = json!({
        "parameters": { "#token": "t0ken", "user": "u", "#flag": true, "#empty": "", "#list": [{ "a": 7 }, null] },
        "rows": [{ "configuration": { "#x": "y" } }],
        "#foreign": "KBC::ProjectSecure::abc",
    });
    let paths = ["parameters.#token", "parameters.#list[0].a", "rows[0].configuration.#x"];
    assert_eq!(plain_values(&plain), paths);
    let mut document = plain.clone();
    assert_eq!(seal_values(&mut document, binding, &keys).unwrap(), 3);
    assert!(plain_values(&document).is_empty());
    assert_eq!(document["parameters"]["user"], "u");
    assert_eq!(seal_values(&mut document, binding, &keys).unwrap(), 0);
    assert_eq!(open_values(&mut document, binding, &keys), []);
    assert_eq!(document, plain);
}

#[test]
fn a_key_file_is_its_owners_alone_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let generated = Generated::fresh();
    generated.write(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Generated::fresh().write(&path), Err(KeyError::FileExists { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    let keyring = Keyring { identity_file: Some(path.clone()), ..Keyring::default() };
    assert_eq!(keyring.read(false).unwrap().public().unwrap(), generated.public);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = keyring.read(false).unwrap_err().to_string();
    assert!(refused.contains("mode 640") && refused.contains("chmod 600"), "{refused}");
}

#[test]
fn a_text_that_is_no_key_is_told_by_its_line_and_not_repeated() {
    let fresh = Generated::fresh();
    let secret = fresh.file.reveal().lines().last().unwrap();
    let error = Keys::parse(&format!("# mine\n\n{secret}x\n"), "secrets.identity").unwrap_err().to_string();
    assert!(
        error.starts_with("line 3 of secrets.identity is not a key") && !error.contains(secret),
        "{error}"
    );
    assert!(matches!(Keys::parse("# only this\n", "f"), Err(KeyError::NoIdentity { .. })));
    assert!(!format!("{:?}", keys()).contains("SECRET"), "{:?}", keys());
}

#[test]
fn a_project_makes_one_key_however_many_ask_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring { project_file: Some(folder.path().join("secret.key")), ..Keyring::default() };
    assert!(!keyring.read(false).unwrap().can_open(), "nothing is made by looking");
    let publics: Vec<String> = std::thread::scope(|scope| {
        let made: Vec<_> =
            (0..8).map(|_| scope.spawn(|| keyring.read(true).unwrap().public().unwrap())).collect();
        made.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(publics.iter().all(|public| *public == publics[0]), "{publics:?}");
}

#[test]
fn this_process_leaves_no_core_dump() {
    keep_out_of_core_dumps().unwrap();
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    assert_eq!((dumpable, limit.maximum), (rustix::process::DumpableBehavior::NotDumpable, Some(0)));
}

#[test]
fn wiping_leaves_the_public_part() {
    let mut document = json!({ "url": "u", "#a": { "b": ["secret", 1] } });
    wipe_values(&mut document);
    assert_eq!(document, json!({ "url": "u", "#a": { "b": ["", 1] } }));
}
