//! Secrets of a configuration's text: sealed where they stand, complained of, opened.

use serde_json::json;

use super::super::{RewriteError, SecretCheck, parse, reseal_text, seal_text};
use crate::component::document;
use crate::job::ComponentId;
use crate::secret::{self, Binding, Generated, Keys, PlainPolicy};

fn keys() -> Keys {
    Keys::parse(Generated::fresh().file.reveal(), "test").unwrap()
}

fn shop() -> ComponentId {
    "acme.shop".parse().unwrap()
}

/// Every sealed value replaced by a mark.
fn marked(text: &str) -> String {
    let mut marked = text.to_owned();
    while let Some(at) = marked.find("longshore:v1:") {
        let end = marked.split_at(at).1.find(['"', '\n']).map_or(marked.len(), |length| at + length);
        marked.replace_range(at..end, "SEALED");
    }
    marked
}

fn sealed(text: &str, file: &str) -> (String, usize, bool) {
    let (keys, shop) = (keys(), shop());
    let binding = Binding { component: &shop, configuration: None };
    let sealed = seal_text(text, file, binding, &keys).unwrap();
    let mut opened = document::parse(&sealed.text, file).unwrap().to_json();
    assert_eq!(secret::open_values(&mut opened, binding, &keys), []);
    assert_eq!(opened, document::parse(text, file).unwrap().to_json(), "it opens to what it was");
    (marked(&sealed.text), sealed.count, sealed.stuck_at.is_some())
}

#[test]
fn yaml_keeps_its_comments_and_layout_however_the_secret_is_written() {
    let text = "\
# The shop.
parameters:
  url: https://shop  # public
  '#plain': swordfish # to be changed
  \"#double\": \"sword \\\"fish\\\" # 9\"
  '#single': 'it''s me'
  '#flow': {user: u, pass: p4ss, list: [a, 7]}
  '#number': 42
  '#flag': true
  '#pem': |
    -----BEGIN KEY-----
    MIIEvQIBADANBg

    -----END KEY-----
  '#folded': >-
    one
    two
  after: kept # here
rows:
  - id: 1
    configuration:
      parameters: { '#row': secret, b: c }
";
    let expected = "\
# The shop.
parameters:
  url: https://shop  # public
  '#plain': \"SEALED\" # to be changed
  \"#double\": \"SEALED\"
  '#single': \"SEALED\"
  '#flow': {user: \"SEALED\", pass: \"SEALED\", list: [\"SEALED\", \"SEALED\"]}
  '#number': \"SEALED\"
  '#flag': true
  '#pem': \"SEALED\"
  '#folded': \"SEALED\"
  after: kept # here
rows:
  - id: 1
    configuration:
      parameters: { '#row': \"SEALED\", b: c }
";
    assert_eq!(sealed(text, "shop.yaml"), (expected.to_owned(), 11, false));
}

#[test]
fn json_keeps_its_layout_too() {
    let text = "{\n\t\"parameters\": {\"#a\": \"s\\u00e9\\\"cret\", \"b\": 1,\n   \"#n\":7 }\r\n}";
    let expected = "{\n\t\"parameters\": {\"#a\": \"SEALED\", \"b\": 1,\n   \"#n\":\"SEALED\" }\r\n}";
    assert_eq!(sealed(text, "shop.json"), (expected.to_owned(), 2, false));
}

#[test]
fn what_cannot_be_written_in_its_place_becomes_json() {
    let text = "parameters:\n  '#plain': two\n    lines\n";
    let (text, count, is_json) = sealed(text, "shop.yaml");
    assert!(is_json && count == 1, "{text}");
    let wanted = json!({ "parameters": { "#plain": "SEALED" } });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), wanted);
}

#[test]
fn a_text_without_plain_secrets_is_left_alone() {
    let text = "parameters: {'#none': null, '#old': 'KBC::ProjectSecure::abc', a: b}\n";
    assert_eq!(sealed(text, "shop.yaml"), (text.to_owned(), 0, false));
    let binding = Binding { component: &shop(), configuration: None };
    assert!(matches!(seal_text("a: [", "x.yaml", binding, &keys()), Err(RewriteError::Unreadable(_))));
}

#[test]
fn a_text_is_sealed_to_a_new_key_and_nothing_else_of_it_changes() {
    let (old, new) = (Generated::fresh(), Generated::fresh());
    let old_keys = Keys::parse(old.file.reveal(), "old").unwrap();
    let shop = shop();
    let binding = Binding { component: &shop, configuration: None };
    let text = "a: 1 # one\nparameters: {'#x': s1, '#y': s2}\n";
    let before = seal_text(text, "f.yaml", binding, &old_keys).unwrap().text;
    let both = Keys::parse(&format!("{}{}", new.file.reveal(), old.file.reveal()), "both").unwrap();
    let (after, count) = reseal_text(&before, "f.yaml", &both).unwrap();
    assert_eq!((count, marked(&after)), (2, marked(&before)));
    let new_keys = Keys::parse(new.file.reveal(), "new").unwrap();
    let mut opened = document::parse(&after, "f.yaml").unwrap().to_json();
    assert_eq!(secret::open_values(&mut opened, binding, &new_keys), []);
    assert_eq!(opened["parameters"], json!({ "#x": "s1", "#y": "s2" }));
    assert_eq!(reseal_text(&after, "f.yaml", &both).unwrap(), (after, 0));
}

#[test]
fn plain_secrets_are_refused_at_their_place_and_never_repeated() {
    let shop = shop();
    let text = "\
image_parameters: {'#own': hunter22}
parameters:
  '#token': hunter22
  '#flag': true
rows:
  - id: a
    isDisabled: true
    configuration: {parameters: {'#list': [hunter22]}}
";
    let configuration = parse(text, "shop.yaml").configuration;
    let check = |plain| SecretCheck { component: &shop, configuration: None, plain, keys: None };
    let found = configuration.secret_complaints(&check(PlainPolicy::Refuse), None);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    let words = "is a secret in plain text, which `secrets.plain: refuse` (the default of a service) does not accept (encrypt it: longshore secret encrypt --component acme.shop)";
    let expected = [
        format!("shop.yaml:1:28: image_parameters.#own: {words}"),
        format!("shop.yaml:3:13: parameters.#token: {words}"),
        format!("shop.yaml:8:44: rows[0].configuration.parameters.#list[0]: {words}"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(configuration.secret_complaints(&check(PlainPolicy::Accept), None), []);
}
