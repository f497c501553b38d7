use serde_json::json;

use super::*;

fn said(text: &str) -> String {
    parse(text.as_bytes(), "message").unwrap_err().to_string()
}

#[test]
fn a_request_has_all_it_says_and_its_canonical_text_says_the_same() {
    let text = r##"{"priority": "high", "tag": "2.1.0", "mode": "debug", "component": "acme.top-customers",
        "data": {"parameters": {"z": 1, "#password": "s", "a": [true, null]}}, "configuration": "nightly", "version": 1}"##;
    let request = parse(text.as_bytes(), "message").unwrap();
    let expected = RequestDocument {
        component: ComponentId::parse("acme.top-customers").unwrap(),
        configuration: Some(ConfigurationId::parse("nightly").unwrap()),
        data: Some(json!({"parameters": {"z": 1, "#password": "s", "a": [true, null]}})),
        mode: RunMode::Debug,
        tag: Some("2.1.0".to_owned()),
        priority: Some(Priority::High),
    };
    assert_eq!(request, expected);
    let canonical = request.to_json();
    assert_eq!(
        canonical,
        r##"{"version":1,"component":"acme.top-customers","configuration":"nightly","mode":"debug","tag":"2.1.0","priority":"high","data":{"parameters":{"z":1,"#password":"s","a":[true,null]}}}"##
    );
    assert_eq!(parse(canonical.as_bytes(), "message").unwrap(), request);
}

#[test]
fn the_shortest_request_runs_a_component_without_a_configuration() {
    let request = parse(br#"{"version": 1, "component": "acme.greet"}"#, "message").unwrap();
    let expected = RequestDocument {
        component: ComponentId::parse("acme.greet").unwrap(),
        configuration: None,
        data: None,
        mode: RunMode::Run,
        tag: None,
        priority: None,
    };
    assert_eq!(request, expected);
    assert_eq!(request.to_json(), r#"{"version":1,"component":"acme.greet"}"#);
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = "{\"version\": 2,\n \"componen\": \"x\", \"configuration\": \"a/b\",\n \"data\": [1], \"mode\": \"runn\",\n \"tag\": \"-x\", \"priority\": 3}";
    insta::assert_snapshot!(said(text), @r#"
    message:1:1: `component` is missing
    message:1:13: version: version 2 of the job request is not known (this release of Longshore reads version 1)
    message:2:2: componen: unknown key (did you mean component?)
    message:2:36: configuration: "a/b" is not a configuration id: use 1 to 200 of A-Z, a-z, 0-9, `.`, `_` and `-`
    message:3:10: data: expected a mapping, found a list
    message:3:23: mode: expected one of run, input, debug, found "runn" (did you mean run?)
    message:4:9: tag: not an image tag: use 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`
    message:4:27: priority: expected a text, found the number 3 (put it in quotes)
    "#);
}

#[test]
fn what_is_no_request_at_all_is_told_as_that() {
    assert_eq!(said("component: acme.greet"), "message: a job request is a JSON object");
    assert_eq!(said(""), "message: a job request is a JSON object");
    assert_eq!(said("{\"version\": 1,"), "message:1:14: this is not JSON: EOF while parsing a value");
    let latin = parse(b"{\"component\": \"caf\xe9\"}", "message").unwrap_err().to_string();
    assert_eq!(latin, "message: not UTF-8: invalid utf-8 sequence of 1 bytes from index 18");
}

#[test]
fn a_preview_shows_the_beginning_and_no_secret() {
    let body = br##"{"component":"a.b","data":{"parameters":{"#token":{"deep":"secret"},"list":[{"#x":"secret"}]}}}"##;
    assert_eq!(
        preview(body, 200),
        r##"{"component":"a.b","data":{"parameters":{"#token":"(hidden)","list":[{"#x":"(hidden)"}]}}}"##
    );
    assert_eq!(preview(body, 12), "{\"component…");
    assert_eq!(preview(b"{\"a\": 1, \"#token\": \"secret\", oops", 200), "{\"a\": 1, \"…");
    assert_eq!(preview(b"plain words", 200), "plain words");
}

const PAGE: &str = include_str!("../../docs/job-request.md");
const SCHEMA: &str = include_str!("../../docs/job-request.schema.json");

/// The texts of a page's code blocks in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    page.split(begin.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn every_example_of_the_page_is_a_request() {
    let examples = blocks(PAGE, "json");
    assert_eq!(examples.len(), 3);
    for example in examples {
        parse(example.as_bytes(), "example").unwrap_or_else(|complaints| panic!("{complaints}\n{example}"));
    }
}

#[test]
fn the_schema_says_what_the_reader_reads() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(schema["properties"]["version"]["const"], VERSION);
    let modes = MODES.map(|(word, _mode)| json!(word)).into_iter().chain([json!(null)]);
    assert_eq!(schema["properties"]["mode"]["enum"], modes.collect::<serde_json::Value>());
    let lanes = Priority::ALL.into_iter().rev().map(|lane| json!(lane.as_str())).chain([json!(null)]);
    assert_eq!(schema["properties"]["priority"]["enum"], lanes.collect::<serde_json::Value>());
    // A key of the schema is known to the reader, one that it requires is missed, and another is refused by both.
    let mut document = json!({"version": 1, "component": "a.b"});
    for key in schema["properties"].as_object().unwrap().keys() {
        document.as_object_mut().unwrap().entry(key.as_str()).or_insert(json!(null));
    }
    parse(document.to_string().as_bytes(), "message").unwrap();
    for key in schema["required"].as_array().unwrap() {
        let mut without = document.clone();
        without.as_object_mut().unwrap().remove(key.as_str().unwrap());
        assert_eq!(
            said(&without.to_string()),
            format!("message:1:1: `{}` is missing", key.as_str().unwrap())
        );
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"].as_object().unwrap().len(), 7);
}
