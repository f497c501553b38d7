//! The command line's own manners.

use std::process::Stdio;

use crate::house::House;

#[test]
fn data_goes_to_stdout_and_words_for_people_to_stderr() {
    let house = House::new();
    let file = house.write("a.csv", "id\n1\n");
    let ran = house.call(&["table", "import", "in.c-main.t", file.to_str().unwrap()]).succeeded();
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("imported 1 rows"), "{}", ran.stderr);
    let ran = house.call(&["table", "ls"]).succeeded();
    assert!(ran.stdout.contains("in.c-main.t") && ran.stderr.is_empty());
}

#[test]
fn quiet_says_only_what_failed() {
    let house = House::new();
    let file = house.write("a.csv", "id\n1\n");
    let ran = house.call(&["--quiet", "table", "import", "in.c-main.t", file.to_str().unwrap()]).succeeded();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert!(
        house.call(&["--quiet", "table", "head", "in.c-main.x"]).failed(1).stderr.contains("does not exist")
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let house = House::new();
    let rows = "123456\n".repeat(200_000);
    house.import("in.c-main.t", &format!("id\n{rows}"));
    let mut child =
        house.command(&["table", "export", "in.c-main.t"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn completions_are_printed_for_shells() {
    let ran = House::new().call(&["completions", "bash"]).succeeded();
    assert!(ran.stdout.contains("_longshore()"));
}

#[test]
fn a_wrong_setting_is_named_with_its_place() {
    let house = House::new();
    house.write("longshore.yaml", "sink: true\nevents_max: lots\n");
    let ran = house.call(&["table", "ls"]).failed(1);
    assert!(ran.stderr.contains("longshore.yaml:1:1"), "{}", ran.stderr);
    assert!(ran.stderr.contains("longshore.yaml:2"), "all mistakes at once: {}", ran.stderr);
}

#[test]
fn a_catalog_that_is_none_is_said_with_its_path() {
    let house = House::new();
    house.write(
        ".longshore/catalog.sqlite",
        "this is not a database at all, but long enough to look like one",
    );
    let ran = house.call(&["table", "ls"]).failed(4);
    assert!(ran.stderr.contains("catalog.sqlite"), "{}", ran.stderr);
}
