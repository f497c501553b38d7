//! Specs and configurations: every mistake at once, before anything is pulled or copied.

use crate::house::{House, fixture, has_engine};

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

#[test]
fn a_wish_that_is_not_offered_yet_is_told_as_a_notice() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = house.write(
        "wishful.yaml",
        "id: wishful\nimage: {uri: longshore-test/raw-shell, tag: '1', policy: master}\nlogging: {type: gelf}\n",
    );
    house.write("task.json", "{\"parameters\": {\"script\": \"true\"}}");
    let arguments = ["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"];
    let document = house.call(&arguments).succeeded().document();
    let notices = document["notices"].to_string();
    assert!(notices.contains("GELF") && notices.contains("policy is master"), "{notices}");
}
