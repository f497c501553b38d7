//! Specs and configurations: every mistake at once, before anything is pulled or copied.

use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use serde_json::Value;

use crate::house::{House, Ran, fixture, has_engine};

const SPEC: &str = "id: thing\nimage: {uri: nowhere.invalid/thing}\n";

#[test]
fn a_configuration_with_five_mistakes_reports_five_mistakes_and_changes_nothing() {
    let house = House::new();
    house.import("in.c-main.a", "id,name\n1,x\n");
    let before = house.versions("in.c-main.a");
    house.write(
        "broken.yaml",
        "parameters: {script: 'true'}\n\
         storage:\n\
         \x20 input:\n\
         \x20   tables:\n\
         \x20     - {source: in.c-main.nowhere, destination: a.csv}\n\
         \x20     - {source: in.c-main.a, destination: ../b.csv}\n\
         \x20     - {source: in.c-main.a, destination: c.csv, columns: [id, nme]}\n\
         \x20     - {source: in.c-main.a, destination: d.csv, where_column: id, where_values: ['1'], where_operator: like}\n\
         \x20 ouput: {}\n",
    );
    let table = house.write("a.csv", "id,name\n2,y\n");
    let spec = fixture("components/raw-shell.yaml");
    let import = format!("in.c-main.a={}", table.display());
    let arguments = ["run", spec.to_str().unwrap(), "--config", "broken.yaml", "--table", &import];
    // No engine is needed to hear about them.
    let output = house.command(&arguments).env("LONGSHORE_ENGINE_HOST", "unix:///nowhere").output().unwrap();
    let ran = crate::house::ran(output).failed(1);
    let complaints: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(complaints.len(), 5, "{}", ran.stderr);
    for (line, what) in [(5, "in.c-main.nowhere"), (6, "`..`"), (7, "nme"), (8, "like"), (9, "ouput")] {
        let place = format!("broken.yaml:{line}:");
        assert!(
            complaints.iter().any(|complaint| complaint.contains(&place) && complaint.contains(what)),
            "{place} {what} is not in\n{}",
            ran.stderr
        );
    }
    assert_eq!(
        house.versions("in.c-main.a"),
        before,
        "a table was imported though the configuration is broken"
    );
}

#[test]
fn a_mistake_is_told_with_its_own_line_though_an_entry_before_it_could_not_be_read() {
    let house = House::new();
    house.import("in.c-main.a", "id,name\n1,x\n");
    house.write("thing.yaml", SPEC);
    house.write(
        "task.yaml",
        "storage:\n\
         \x20 input:\n\
         \x20   tables:\n\
         \x20     - {destination: a.csv}\n\
         \x20     - {source: in.c-main.a, destination: b.csv, columns: [id, nme]}\n\
         \x20   files:\n\
         \x20     - {}\n\
         \x20     - {file_ids: [7]}\n\
         \x20 output:\n\
         \x20   tables:\n\
         \x20     - 7\n\
         \x20     - {source: c.csv, destination: in.c-main.a, primary_key: [id]}\n",
    );
    let ran = house.call(&["run", "thing.yaml", "--config", "task.yaml"]).failed(1);
    for (place, what) in [
        ("task.yaml:4:9: storage.input.tables[0]", "`source` is missing"),
        ("task.yaml:5:65: storage.input.tables[1].columns[1]", "nme"),
        ("task.yaml:7:9: storage.input.files[0]", "no files are selected"),
        ("task.yaml:8:21: storage.input.files[1].file_ids[0]", "file 7 does not exist"),
        ("task.yaml:11:9: storage.output.tables[0]", "expected a mapping"),
        ("task.yaml:12:64: storage.output.tables[1].primary_key", "primary key"),
    ] {
        let is_said = ran.stderr.lines().any(|line| line.contains(place) && line.contains(what));
        assert!(is_said, "{place} {what} is not in\n{}", ran.stderr);
    }
}

/// One complaint, each thing it must say, and a clean end.
fn complains(ran: &Ran, code: i32, said: &[&str]) {
    let complaints = ran.stderr.lines().filter(|line| line.starts_with("error:")).count();
    assert!(ran.code == code && complaints == 1, "exit {}\n{}", ran.code, ran.stderr);
    assert!(!ran.stderr.contains("panicked") && ran.stdout.is_empty(), "{}\n{}", ran.stdout, ran.stderr);
    for what in said {
        assert!(ran.stderr.contains(what), "{what:?} is not in\n{}", ran.stderr);
    }
}

#[rstest]
#[case::a_missing_file("missing.yaml", &["missing.yaml", "no such file"])]
#[case::a_folder("./folder", &["./folder", "it is a folder"])]
#[case::no_component_of_that_id("thingg", &["thingg not found in", "component-specs", "did you mean thing?"])]
#[case::an_id_like_none("quite.another", &["quite.another not found in", "longshore component ls lists what is there"])]
#[case::an_odd_id("no such thing", &["no such thing", "no such file"])]
#[case::an_empty_spec("empty.yaml", &["empty.yaml", "expected a mapping"])]
#[case::a_spec_without_an_image("thing-without.yaml", &["thing-without.yaml:1:1", "`image` is missing"])]
#[case::tabs("tabs.yaml", &["tabs.yaml:2:1", "spaces"])]
#[case::an_open_bracket("open.yaml", &["open.yaml:2:8", "unclosed bracket"])]
#[case::broken_json("broken.json", &["broken.json:1:", "not JSON"])]
#[case::latin_1("latin.yaml", &["latin.yaml", "line 2", "0xE9", "save it as UTF-8"])]
#[case::a_huge_file("huge.yaml", &["huge.yaml", "larger than 16 MiB"])]
#[case::a_device("/dev/zero", &["/dev/zero", "larger than 16 MiB"])]
#[case::a_table("table.csv", &["table.csv"])]
fn a_spec_that_cannot_be_is_told_in_one_line(#[case] spec: &str, #[case] said: &[&str]) {
    let house = House::new();
    house.write("component-specs/thing.yaml", SPEC);
    std::fs::create_dir(house.path().join("folder")).unwrap();
    house.write("empty.yaml", "");
    house.write("thing-without.yaml", "id: thing-without\n");
    house.write("tabs.yaml", "id: tabs\n\timage: {uri: a}\n");
    house.write("open.yaml", "id: open\nimage: {uri: a\n");
    house.write("broken.json", "{\"id\": }");
    house.write("latin.yaml", b"id: latin\nname: caf\xe9\n");
    house.write("huge.yaml", vec![b'#'; (16 << 20) + 1]);
    house.write("table.csv", "id,name\n1,a\n2,b\n");
    complains(&house.call(&["run", spec]), 1, said);
    complains(&house.call(&["component", "check", spec]), 1, said);
}

#[rstest]
#[case::a_missing_file("missing.yaml", &["missing.yaml", "no such file"])]
#[case::a_folder("folder", &["folder", "it is a folder"])]
#[case::tabs("tabs.yaml", &["tabs.yaml:2:1", "spaces"])]
#[case::a_list("list.yaml", &["list.yaml:1:1", "expected a mapping"])]
#[case::a_text("text.yaml", &["text.yaml:1:1", "expected a mapping"])]
#[case::latin_1("latin.yaml", &["latin.yaml", "line 1", "0xE9"])]
#[case::a_name_with_spaces("my task.yaml", &["my task", "rename the file"])]
#[case::a_huge_file("huge.yaml", &["huge.yaml", "larger than 16 MiB"])]
#[case::twice_the_same_key("twice.yaml", &["twice.yaml:2:1", "parameters"])]
#[case::a_bomb("bomb.yaml", &["bomb.yaml"])]
fn a_configuration_that_cannot_be_is_told_in_one_line(#[case] config: &str, #[case] said: &[&str]) {
    let house = House::new();
    house.write("thing.yaml", SPEC);
    std::fs::create_dir(house.path().join("folder")).unwrap();
    house.write("tabs.yaml", "parameters:\n\tscript: x\n");
    house.write("list.yaml", "- parameters\n");
    house.write("text.yaml", "parameters\n");
    house.write("latin.yaml", b"parameters: {a: caf\xe9}\n");
    house.write("my task.yaml", "{}");
    house.write("huge.yaml", vec![b'#'; (16 << 20) + 1]);
    house.write("twice.yaml", "parameters: {a: 1}\nparameters: {b: 1}\n");
    let levels = (1..12).map(|n| format!("  l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 9].join(", ")));
    house.write("bomb.yaml", format!("parameters:\n  l0: &l0 [x]\n{}", levels.collect::<String>()));
    complains(&house.call(&["run", "thing.yaml", "--config", config]), 1, said);
    let ran = house.call(&["component", "check", "thing.yaml", "--config", config]);
    // The hint of `run` is part of the advice; `check` has one line.
    complains(&ran, 1, &said[..1]);
}

#[test]
fn a_file_without_permission_is_told_as_such() {
    let house = House::new();
    let path = house.write("thing.yaml", SPEC);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        // Root reads everything.
        return;
    }
    complains(&house.call(&["run", "thing.yaml"]), 1, &["thing.yaml", "permission denied"]);
}

#[rstest]
#[case::no_equals_sign("in.c-main.a", 2, &["expected ID=FILE"])]
#[case::no_file("in.c-main.a=", 2, &["expected ID=FILE"])]
#[case::a_bad_id("orders=a.csv", 2, &["stage.bucket.name"])]
#[case::a_missing_file("in.c-main.a=missing.csv", 1, &["--table in.c-main.a", "missing.csv", "no such file"])]
#[case::a_folder("in.c-main.a=.", 1, &["--table in.c-main.a", "it is a folder"])]
#[case::an_empty_file("in.c-main.a=empty.csv", 1, &["--table in.c-main.a", "empty.csv is empty"])]
#[case::a_ragged_file("in.c-main.a=ragged.csv", 1, &["ragged.csv", "record 2", "line 3"])]
fn a_table_that_cannot_be_loaded_is_told_before_anything_runs(
    #[case] table: &str,
    #[case] code: i32,
    #[case] said: &[&str],
) {
    let house = House::new();
    house.write("thing.yaml", SPEC);
    house.write("empty.csv", "");
    house.write("ragged.csv", "id,name\n1,a\n2\n");
    complains(&house.call(&["run", "thing.yaml", "--table", table]), code, said);
    let jobs = house.call(&["job", "ls", "--format", "json"]).succeeded();
    assert_eq!(jobs.stdout.trim(), "[]", "no job was made");
}

#[test]
fn component_check_tells_scripts_where_each_mistake_is() {
    let house = House::new();
    house.write("thing.yaml", "id: thing\nimage: {uri: a}\nnetwrk: none\n");
    let ran = house.call(&["component", "check", "thing.yaml", "--format", "json"]).failed(1);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["is_valid"], false);
    let complaint = &document["complaints"][0];
    assert_eq!((&complaint["line"], &complaint["path"]), (&3.into(), &"netwrk".into()));
    assert_eq!(complaint["hint"], "did you mean network?");
    house.write("thing.yaml", SPEC);
    let document =
        house.call(&["component", "check", "thing.yaml", "--format", "json"]).succeeded().document();
    assert_eq!(document, serde_json::json!({ "component": "thing", "is_valid": true, "complaints": [] }));
}

#[test]
fn a_destination_that_is_taken_is_complained_of_once() {
    let house = House::new();
    house.import("in.c-main.a", "id\n1\n");
    let text = "storage:\n  input:\n    tables:\n\
        \x20     - {source: in.c-main.a, destination: a.csv}\n\
        \x20     - {source: in.c-main.a, destination: a.csv}\n";
    house.write("twice.yaml", text);
    let spec = fixture("components/raw-shell.yaml");
    let ran = house.call(&["run", spec.to_str().unwrap(), "--config", "twice.yaml"]).failed(1);
    let complaints: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert!(matches!(complaints[..], [one] if one.contains("twice.yaml:5:")), "{}", ran.stderr);
}

#[test]
fn component_check_reports_spec_and_configuration_together() {
    let house = House::new();
    house.write("thing.yaml", "id: other\nimage: {uri: a}\nresources: {memory: 12 apples}\nnetwrk: none\n");
    house.write("task.yaml", "paramters: {}\n");
    let ran = house.call(&["component", "check", "thing.yaml", "--config", "task.yaml"]).failed(1);
    for what in ["thing.yaml:1", "thing.yaml:3", "thing.yaml:4", "task.yaml:1"] {
        assert!(ran.stderr.contains(what), "{what} is not in\n{}", ran.stderr);
    }
}

#[test]
fn our_own_components_are_fine_and_listed() {
    let house = House::new();
    let specs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("component-specs");
    let mut command = house.command(&["component", "ls", "--format", "json"]);
    let ran =
        crate::house::ran(command.env("LONGSHORE_COMPONENT_SPECS_DIR", specs).output().unwrap()).succeeded();
    assert!(
        ran.stdout.contains("\"python-transformation\"") && ran.stdout.contains("\"shell-transformation\"")
    );
}

#[test]
fn a_component_is_found_by_its_id_in_the_project() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = std::fs::read(fixture("components/raw-shell.yaml")).unwrap();
    house.write("component-specs/raw-shell.yaml", spec);
    house.write("task.yaml", "parameters: {script: echo found}\n");
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).succeeded();
    let ran = house.call(&["run", "raw-shel", "--config", "task.yaml"]).failed(1);
    assert!(ran.stderr.contains("did you mean raw-shell"), "{}", ran.stderr);
}
