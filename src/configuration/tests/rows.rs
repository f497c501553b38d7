use super::*;

const ROWS: &str = "\
parameters: {keep: 1, over: root, list: [a, b, c]}
storage:
  input:
    tables:
      - {source: in.c-main.orders, destination: a}
      - {source: bad, destination: b}
rows:
  - id: first
    configuration:
      parameters: {over: row, list: [x], more: {}}
  - id: 2
    name: never
    isDisabled: true
    configuration: {storage: {input: {tables: [{source: worse}]}}}
  - id: third
    configuration:
      storage: {input: {tables: [{limit: many}], files: []}, output: {tables: [{destination: x}]}}
";

#[test]
fn a_row_is_merged_over_the_root_and_a_disabled_one_is_left_out() {
    let (units, _said) = read(ROWS);
    let rows: Vec<_> =
        units.iter().map(|unit| (unit.row.clone().unwrap().to_string(), unit.row_index)).collect();
    assert_eq!(rows, [("first".to_owned(), 0), ("third".to_owned(), 2)]);
    assert_eq!(
        units[0].config_document["parameters"],
        json!({"keep": 1, "over": "row", "list": ["x", "b", "c"], "more": {}})
    );
    assert_eq!(
        units[1].config_document["parameters"],
        json!({"keep": 1, "over": "root", "list": ["a", "b", "c"]})
    );
    assert_eq!(units[1].config_document.get("rows"), None);
}

#[test]
fn a_mistake_of_the_root_is_told_once_and_one_of_a_row_with_its_own_place() {
    insta::assert_snapshot!(read(ROWS).1, @r#"
    config.yaml:6:18: storage.input.tables[1].source: "bad" is not a table id: expected three parts `stage.bucket.name`, e.g. in.c-main.orders
    config.yaml:17:42: rows[2].configuration.storage.input.tables[0].limit: expected a whole number, found a text
    config.yaml:17:80: rows[2].configuration.storage.output.tables[0]: `source` is missing
    config.yaml:17:94: rows[2].configuration.storage.output.tables[0].destination: "x" is not a table id: expected three parts `stage.bucket.name`, e.g. in.c-main.orders
    "#);
}

#[test]
fn a_path_is_located_in_the_row_or_else_in_the_root() {
    let (units, _said) = read(ROWS);
    let configuration = parse(ROWS, "config.yaml").configuration;
    let locate = |unit: &Unit, path: &str| configuration.locate(&format!("{}{path}", unit.path_prefix));
    assert_eq!(locate(&units[0], "parameters.over"), Some((10, 26)));
    assert_eq!(locate(&units[0], "storage.input.tables[0].source"), Some((5, 18)));
    assert_eq!(locate(&units[0], "storage.input.tables[7]"), None);
    assert_eq!(configuration.locate("rows[1].id"), Some((11, 9)));
}

#[test]
fn rows_have_ids_of_their_own() {
    insta::assert_snapshot!(said("rows: [{}, {id: a}, {id: a, configuration: 5}, {id: 'a b', disabled: true}]\n"), @r#"
    config.yaml:1:8: rows[0]: `id` is missing
    config.yaml:1:26: rows[2].id: the row id a is there twice
    config.yaml:1:44: rows[2].configuration: expected a mapping, found the number 5
    config.yaml:1:53: rows[3].id: "a b" is not a row id: use 1 to 200 of A-Z, a-z, 0-9, `.`, `_` and `-`
    config.yaml:1:60: rows[3].disabled: unknown key (did you mean is_disabled?)
    "#);
}

#[test]
fn a_failing_row_stops_the_others_unless_the_configuration_says_otherwise() {
    assert_eq!(parse("{}", "c.yaml").configuration.on_error, OnError::Stop);
    assert_eq!(parse("runtime: {on_error: continue}", "c.yaml").configuration.on_error, OnError::Continue);
}
