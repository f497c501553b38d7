mod input;
mod limits;
mod output;
mod rows;
mod sealing;

use serde_json::json;

use super::*;
use crate::component::{Presets, parse_spec};

fn component(more: &str) -> Component {
    let text = format!("id: acme.echo\nimage: {{uri: acme/echo}}\n{more}");
    parse_spec(&text, "acme.echo.yaml", &Presets::default()).unwrap()
}

fn now() -> jiff::Timestamp {
    "2024-05-31T10:30:00Z".parse().unwrap()
}

/// Units and all complaints, as a run reads a configuration named `main`.
fn read_for(component: &Component, text: &str) -> (Vec<Unit>, String) {
    let parsed = parse(text, "config.yaml");
    let id = ConfigurationId::parse("main").unwrap();
    let (units, more) = parsed.configuration.units(component, Some(&id), now());
    let said: Vec<String> = parsed.complaints.iter().chain(&more).map(ToString::to_string).collect();
    (units, said.join("\n"))
}

fn read(text: &str) -> (Vec<Unit>, String) {
    read_for(&component(""), text)
}

/// The one unit of a configuration without mistakes.
fn unit(text: &str) -> Unit {
    let (mut units, said) = read(text);
    assert_eq!((units.len(), said.as_str()), (1, ""), "{text}");
    units.remove(0)
}

fn said(text: &str) -> String {
    read(text).1
}

#[test]
fn an_empty_configuration_runs_the_component_once_with_nothing() {
    for text in ["", "{}", "null", "storage: []\nparameters: []\nauthorization: []\n"] {
        let unit = unit(text);
        assert_eq!((&unit.input, &unit.output), (&InputMapping::default(), &OutputMapping::default()));
        assert_eq!(
            unit.config_document,
            json!({"parameters": {}, "storage": {}, "image_parameters": {}, "authorization": {}, "action": "run",
                "shared_code_row_ids": []}),
            "{text}"
        );
    }
}

#[test]
fn the_component_reads_what_was_written_but_for_what_is_the_runners() {
    let text = r##"{"parameters": {"a": {}, "b": [], "n": null, "#token": "s3cret", "list": [1.5, "x"]},
        "storage": {"input": {"tables": [{"source": "in.c-main.orders", "destination": "orders.csv"}]}},
        "image_parameters": {"mine": 1}, "runtime": {"tag": "1.2", "safe": true, "process_timeout": 90},
        "authorization": {"oauth_api": {"id": "7", "version": 3,
            "credentials": {"#data": "{\"access_token\":\"inner-token\",\"token_type\":\"bearer\"}"}}},
        "processors": {"before": [], "after": []}, "variables_id": null, "shared_code_row_ids": [], "action": "run"}"##;
    let (units, said) = read_for(&component("image_parameters: {'#key': platform, url: u}"), text);
    assert_eq!(said, "");
    let [unit] = &units[..] else { panic!("{} units", units.len()) };
    assert_eq!(
        unit.config_document,
        json!({"parameters": {"a": {}, "b": [], "n": null, "#token": "s3cret", "list": [1.5, "x"]},
            "storage": {"input": {"tables": [{"source": "in.c-main.orders", "destination": "orders.csv"}]}},
            "image_parameters": {"#key": "platform", "url": "u"},
            "authorization": {"oauth_api": {"credentials":
                {"#data": "{\"access_token\":\"inner-token\",\"token_type\":\"bearer\"}"}}},
            "action": "run", "shared_code_row_ids": []})
    );
    assert_eq!(
        unit.secrets,
        ["s3cret", "platform", "inner-token", "{\"access_token\":\"inner-token\",\"token_type\":\"bearer\"}"]
    );
    let timeout = unit.allotment.limits.timeout;
    assert_eq!((timeout, unit.image_tag.as_deref()), (std::time::Duration::from_secs(90), Some("1.2")));
}

#[test]
fn every_value_under_a_hash_key_is_a_secret_also_nested_ones() {
    let unit = unit(
        "parameters:\n  '#a': one\n  '#b': {c: two, d: [three, 4, true, '']}\n  e: {'#f': one}\n  g: not\n",
    );
    assert_eq!(unit.secrets, ["one", "two", "three", "4"]);
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let text = "parameters: {'#a': s3cret}\nrows: [{id: x, configuration: {parameters: {'#b': s3cret}}}]\n";
    let component = component("image_parameters: {'#key': s3cret}\n");
    let configuration = parse(text, "c.yaml").configuration;
    let (units, _complaints) = configuration.units(&component, None, now());
    let shown = format!("{component:?} {configuration:?} {units:?}");
    assert!(units[0].secrets == ["s3cret"] && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn anchors_and_merge_keys_work_and_keep_a_place() {
    let text = "parameters: {}\nstorage:\n  input:\n    tables:\n      - &base {source: in.c-main.a, limit: 5}\n      - <<: *base\n        source: bad\n";
    let (units, said) = read(text);
    assert_eq!(units[0].input.tables[0].rows_max, Some(5));
    assert!(
        said.starts_with("config.yaml:7:17: storage.input.tables[1].source: \"bad\" is not a table id"),
        "{said}"
    );
}

#[test]
fn five_mistakes_are_told_as_five_with_their_places() {
    let text = "\
parameters: {}
storage:
  input:
    tables:
      - source: orders
      - source: in.c-main.orders
        where_column: id
      - source: in.c-main.orders
        destination: ../../etc/passwd
  output:
    tabels: []
    tables:
      - source: out.csv
        destination: out.c-main.sums
        incremental: sometimes
";
    let (units, said) = read(text);
    insta::assert_snapshot!(said, @r#"
    config.yaml:5:17: storage.input.tables[0].source: "orders" is not a table id: expected three parts `stage.bucket.name`, e.g. in.c-main.orders
    config.yaml:7:23: storage.input.tables[1].where_column: `where_values` is missing (list the values to compare with)
    config.yaml:9:22: storage.input.tables[2].destination: the path must not have empty parts, `.` or `..`
    config.yaml:11:5: storage.output.tabels: unknown key (did you mean tables?)
    config.yaml:15:22: storage.output.tables[0].incremental: expected true or false, found a text
    "#);
    // What is right is kept, so that the catalog can be asked about it.
    assert_eq!(units[0].input.tables.len(), 2);
    assert_eq!(units[0].output.tables[0].destination.as_ref().unwrap().as_str(), "out.c-main.sums");
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    let text = "\
processors: {after: [{definition: {component: keboola.processor-x}}]}
variables_id: 12
shared_code_id: x
artifacts: {runs: {enabled: true}}
authorization: {oauth_api: {id: 5}}
action: testConnection
runtime: {use_file_storage_only: true, process_timeout: 0, on_error: sometimes}
parameter: {}
storage: {inputs: {}}
";
    insta::assert_snapshot!(said(text), @r#"
    config.yaml:7:70: runtime.on_error: expected one of stop, continue, found "sometimes"
    config.yaml:1:21: processors.after: processors are not supported yet
    config.yaml:2:15: variables_id: variables are not supported yet (write the values themselves)
    config.yaml:3:17: shared_code_id: shared code is not supported yet (write the code itself)
    config.yaml:4:12: artifacts: artifacts are not supported yet
    config.yaml:5:33: authorization.oauth_api.id: there is no OAuth service to ask (write `oauth_api.credentials` into the configuration)
    config.yaml:6:9: action: a job always runs the action `run`
    config.yaml:7:34: runtime.use_file_storage_only: publishing tables as files is not supported
    config.yaml:7:57: runtime.process_timeout: must be at least 1
    config.yaml:8:1: parameter: unknown key (did you mean parameters?)
    config.yaml:9:11: storage.inputs: unknown key (did you mean input?)
    "#);
}

#[test]
fn a_broken_document_is_one_complaint_and_an_empty_run() {
    let parsed = parse("{\"parameters\": {\n  \"a\": 1,\n}}", "config.json");
    assert_eq!(parsed.complaints.len(), 1);
    assert_eq!(parsed.complaints[0].to_string(), "config.json:3:1: this is not JSON: trailing comma");
    assert_eq!(said("- 1\n"), "config.yaml:1:1: expected a mapping, found a list");
}

#[test]
fn a_secret_of_the_component_is_refused_without_repeating_it() {
    let (_units, said) = read_for(
        &component("image_parameters: {'#key': platform}"),
        "parameters: {a: platform, '#b': {c: platform}}",
    );
    assert_eq!(
        said,
        "config.yaml:1:37: parameters.#b.c: a secret of the component cannot be used in a configuration"
    );
}

#[test]
fn a_value_that_only_keboola_can_decrypt_is_refused_without_repeating_it() {
    assert_eq!(
        said("parameters: {'#a': 'KBC::ProjectSecure::eJwBYg', b: 'KBC::ProjectSecure::x'}"),
        "config.yaml:1:20: parameters.#a: is encrypted for Keboola and cannot be read here (write the value itself)"
    );
}

#[test]
fn the_hash_is_of_the_meaning_and_not_of_the_writing() {
    let hash = |text: &str, file: &str| parse(text, file).configuration.hash;
    let yaml = hash("b: 2\na: {y: [1], x: ü}\n", "a.yaml");
    assert_eq!(yaml, hash("{\"a\": {\"x\": \"\\u00fc\", \"y\": [1]}, \"b\": 2}", "a.json"));
    assert_ne!(yaml, hash("b: 2\na: {y: [2], x: ü}\n", "a.yaml"));
}

#[test]
fn the_default_bucket_is_named_after_component_and_configuration() {
    let wanting = component("default_bucket: true\ndefault_bucket_stage: out\n");
    let bucket = |text: &str| read_for(&wanting, text).0[0].output.default_bucket.clone();
    assert_eq!(bucket("{}").as_deref(), Some("out.c-acme-echo-main"));
    assert_eq!(bucket("storage: {output: {default_bucket: in.c-x}}").as_deref(), Some("in.c-x"));
    let (_units, complaints) = parse("{}", "c.yaml").configuration.units(&wanting, None, now());
    assert_eq!(
        complaints[0].to_string(),
        "c.yaml:1:1: acme.echo publishes into a default bucket, which needs a configuration id \
         (set `storage.output.default_bucket`)"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in "\\PC{0,80}",
        noise in "(storage|input|tables|files|rows|runtime|source|[a-z0-9:{}\\[\\], \n\"'#-]){0,40}",
    ) {
        for text in [text.clone(), noise.clone(), format!("storage: {{input: {{tables: [{noise}]}}}}")] {
            drop(read(&text));
            drop(manifest_table_options(&text, "x.manifest"));
            drop(manifest_file_options(&text, "x.manifest"));
        }
    }
}
