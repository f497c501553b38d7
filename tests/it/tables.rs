//! `longshore table …` on real files.

use rstest::rstest;
use serde_json::Value;

use crate::house::House;

const ORDERS: &str = "id,country,amount\n1,CZ,10\n2,\"DE\",9.5\n3,CZ,\n4,\"a \"\"b\"\", c\",100\n";

fn orders() -> House {
    let house = House::new();
    house.import("in.c-main.orders", ORDERS);
    house
}

#[test]
fn what_is_imported_is_exported_byte_for_byte() {
    assert_eq!(orders().export("in.c-main.orders"), ORDERS);
}

#[rstest]
#[case::one_column(&["--columns", "amount"], "amount\n10\n9.5\n\"\"\n100\n")]
#[case::other_order(&["--columns", "amount,id", "--limit", "2"], "amount,id\n10,1\n9.5,2\n")]
#[case::equal(&["--where", "country=CZ"], "id,country,amount\n1,CZ,10\n3,CZ,\n")]
#[case::equal_though_quoted(&["--where", "country=DE"], "id,country,amount\n2,\"DE\",9.5\n")]
#[case::not_equal(&["--where", "country!=CZ", "--columns", "id"], "id\n2\n4\n")]
#[case::greater_as_numbers(&["--where", "amount>9.7", "--columns", "id"], "id\n1\n4\n")]
#[case::two_conditions(&["--where", "country=CZ", "--where", "amount>=10", "--columns", "id"], "id\n1\n")]
#[case::semicolons(&["--delimiter", ";", "--limit", "1"], "id;country;amount\n1;CZ;10\n")]
#[case::no_header(&["--no-header", "--columns", "id", "--limit", "2"], "1\n2\n")]
fn an_export_selects_rows_and_columns(#[case] more: &[&str], #[case] expected: &str) {
    let house = orders();
    let mut arguments = vec!["table", "export", "in.c-main.orders"];
    arguments.extend(more);
    let ran = house.call(&arguments).succeeded();
    // An empty value alone on its line is written so that readers do not take it for no record.
    assert_eq!(ran.stdout.replace("\n\n", "\n\"\"\n"), expected);
}

#[test]
fn a_foreign_dialect_is_imported_into_the_canonical_one() {
    let house = House::new();
    let file = house.write("in.csv", "\u{feff}id;text\r\n1;\"a;b\"\r\n2;c,d");
    let path = file.to_str().unwrap();
    house.call(&["table", "import", "in.c-main.t", path, "--delimiter", ";"]).succeeded();
    assert_eq!(house.export("in.c-main.t").replace('"', ""), "id,text\n1,a;b\n2,c,d\n");
    assert!(house.export("in.c-main.t").contains("2,\"c,d\""), "a comma must be quoted now");
}

#[test]
fn a_headless_file_gets_its_columns_from_the_command() {
    let house = House::new();
    let file = house.write("in.csv", "1,a\n2,b\n");
    let arguments =
        ["table", "import", "in.c-main.t", file.to_str().unwrap(), "--no-header", "--columns", "id,name"];
    house.call(&arguments).succeeded();
    assert_eq!(house.export("in.c-main.t"), "id,name\n1,a\n2,b\n");
}

#[test]
fn an_incremental_import_with_a_key_replaces_rows_by_key_and_adds_the_rest() {
    let house = House::new();
    let first = house.write("a.csv", "id,v\n1,a\n2,b\n3,c\n");
    let second = house.write("b.csv", "id,v\n\"2\",B\n4,d\n2,BB\n");
    let import = |file: &std::path::Path| {
        let path = file.to_str().unwrap().to_owned();
        house
            .call(&["table", "import", "in.c-main.t", &path, "--incremental", "--primary-key", "id"])
            .succeeded()
    };
    import(&first);
    import(&second);
    let mut rows: Vec<String> = house.export("in.c-main.t").lines().skip(1).map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows, ["1,a", "2,BB", "3,c", "4,d"], "the last row of a key wins");
    // The first version is still there as it was.
    let old = house.call(&["table", "export", "in.c-main.t", "--version", "1"]).succeeded().stdout;
    assert_eq!(old, "id,v\n1,a\n2,b\n3,c\n");
}

#[test]
fn history_and_diff_tell_what_changed() {
    let house = House::new();
    let import = |name: &str, csv: &str| {
        let file = house.write(name, csv);
        let path = file.to_str().unwrap().to_owned();
        house
            .call(&["table", "import", "in.c-main.t", &path, "--incremental", "--primary-key", "id"])
            .succeeded();
    };
    import("a.csv", "id,v\n1,a\n2,b\n");
    import("b.csv", "id,v\n2,B\n3,c\n");
    assert_eq!(house.versions("in.c-main.t"), [2, 1]);
    let ran = house.call(&["table", "diff", "in.c-main.t", "1", "2", "--format", "json"]).succeeded();
    let diff: Value = serde_json::from_str(&ran.stdout).unwrap();
    let counts = ["rows_added", "rows_removed", "rows_changed"].map(|key| diff[key].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 1], "{diff}");
    assert_eq!(diff["changed"], serde_json::json!([["2", "B"]]));
}

#[test]
fn a_time_finds_the_version_that_was_newest_then() {
    let house = House::new();
    house.import("in.c-main.t", "id\n1\n");
    let ran = house.call(&["table", "history", "in.c-main.t", "--format", "json"]).succeeded();
    let history: Value = serde_json::from_str(&ran.stdout).unwrap();
    let time = history[0]["created"].as_str().unwrap().to_owned();
    house.import("in.c-main.t", "id\n2\n");
    let then = house.call(&["table", "export", "in.c-main.t", "--at", &time]).succeeded().stdout;
    assert_eq!(then, "id\n1\n");
    let before = house.call(&["table", "export", "in.c-main.t", "--at", "2001-01-01T00:00:00Z"]).failed(1);
    assert!(before.stderr.contains("it has versions 1 to 2"), "{}", before.stderr);
}

#[rstest]
#[case::ragged("id,name\n1,a\n2\n", "record 2", "line 3")]
#[case::invalid_utf8(b"id\n1\n\xff\n".as_slice(), "UTF-8", "line 3")]
#[case::a_column_twice("id,id\n1,2\n", "\"id\"", "header")]
#[case::an_open_quote("id\n\"1\n2\n", "quot", "line 2")]
#[case::empty("", "empty", "bad.csv")]
fn a_bad_file_is_refused_with_its_place_and_changes_nothing(
    #[case] csv: impl AsRef<[u8]>,
    #[case] what: &str,
    #[case] place: &str,
) {
    let house = House::new();
    house.import("in.c-main.t", "id\nkept\n");
    let file = house.write("bad.csv", csv);
    let ran = house.call(&["table", "import", "in.c-main.t", file.to_str().unwrap()]).failed(1);
    assert!(ran.stderr.contains("bad.csv"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(what) && ran.stderr.contains(place),
        "{} does not say {what:?}, {place:?}",
        ran.stderr
    );
    assert_eq!(house.export("in.c-main.t"), "id\nkept\n");
}

#[test]
fn long_and_wide_cells_line_up_in_a_terminal_and_are_whole_in_json() {
    let house = House::new();
    let long = "x".repeat(100);
    house.import("in.c-main.t", &format!("名,v\n日本語,{long}\n\"a\nb\",2\n"));
    let shown = house.call(&["table", "head", "in.c-main.t"]).succeeded().stdout;
    assert_eq!(shown, format!("名      v\n日本語  {}…\na\\nb    2\n", "x".repeat(39)));
    let rows = house.call(&["table", "head", "in.c-main.t", "--format", "json"]).succeeded().document();
    assert_eq!(
        rows[0].to_string(),
        format!("{{\"名\":\"日本語\",\"v\":\"{long}\"}}"),
        "in the order of the columns"
    );
}

#[test]
fn unknown_tables_columns_and_versions_are_named_with_a_hint() {
    let house = orders();
    let ran = house.call(&["table", "head", "in.c-main.nope"]).failed(1);
    assert!(
        ran.stderr.contains("in.c-main.nope does not exist") && ran.stderr.contains("hint:"),
        "{}",
        ran.stderr
    );
    let ran =
        house.call(&["table", "head", "in.c-main.orders", "--columns", "id,x", "--where", "y=1"]).failed(1);
    assert!(ran.stderr.contains("\"x\"") && ran.stderr.contains("\"y\""), "both at once: {}", ran.stderr);
    let ran = house.call(&["table", "head", "in.c-main.orders", "--version", "7"]).failed(1);
    assert!(ran.stderr.contains("no version 7"), "{}", ran.stderr);
}

#[test]
fn a_dropped_table_is_gone_and_gc_frees_its_space() {
    let house = orders();
    house.call(&["table", "drop", "in.c-main.orders"]).succeeded();
    house.call(&["table", "drop", "in.c-main.orders"]).failed(1);
    let ran = house.call(&["table", "ls", "--format", "json"]).succeeded();
    assert_eq!(ran.stdout.trim(), "[]");
    let ran = house.call(&["gc", "--format", "json"]).succeeded();
    let freed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&freed["blobs"], &freed["bytes"]), (&Value::from(1), &Value::from(ORDERS.len())));
}

#[test]
fn gc_removes_what_nothing_needs_and_keeps_what_something_does() {
    let house = orders();
    house.import("in.c-main.gone", "id\n1\n");
    house.call(&["table", "drop", "in.c-main.gone"]).succeeded();
    let blobs = house.path().join(".longshore/blobs/slices");
    let mut files = Vec::new();
    let mut folders = vec![blobs];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert_eq!(files.len(), 2);
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for file in &files {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
    let ran = house.call(&["gc", "--format", "json"]).succeeded();
    let freed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(freed["blobs"], 1, "{freed}");
    assert_eq!(house.export("in.c-main.orders"), ORDERS);
}

#[test]
fn files_are_stored_with_tags_and_come_back() {
    let house = House::new();
    let file = house.write("notes.txt", "some notes");
    let id =
        house.call(&["file", "put", file.to_str().unwrap(), "--tag", "a", "--tag", "b"]).succeeded().stdout;
    let id = id.trim();
    house.call(&["file", "put", file.to_str().unwrap(), "--tag", "a"]).succeeded();
    let listed = |tags: &[&str]| {
        let mut arguments = vec!["file", "ls", "--format", "json"];
        arguments.extend(tags.iter().flat_map(|tag| ["--tag", tag]));
        let files: Value = serde_json::from_str(&house.call(&arguments).succeeded().stdout).unwrap();
        files.as_array().unwrap().len()
    };
    assert_eq!((listed(&[]), listed(&["a"]), listed(&["a", "b"]), listed(&["c"])), (2, 2, 1, 0));
    assert_eq!(house.call(&["file", "get", id, "--output", "-"]).succeeded().stdout, "some notes");
    house.call(&["file", "rm", id]).succeeded();
    house.call(&["file", "get", id, "--output", "-"]).failed(1);
}

#[test]
fn a_damaged_slice_is_the_platforms_fault_and_not_that_of_the_file_being_loaded() {
    let house = House::new();
    house.import("in.c-main.t", "id,v\n1,a\n2,b\n");
    let shown = house.call(&["table", "show", "in.c-main.t", "--format", "json"]).succeeded().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let slice = house.path().join(".longshore/blobs").join(shown["slices"][0]["blob"].as_str().unwrap());
    std::fs::write(&slice, "id,v\n1,a\n2\n").unwrap();
    let file = house.write("more.csv", "id,v\n3,c\n");
    let arguments = ["table", "import", "in.c-main.t", file.to_str().unwrap(), "--incremental"];
    let changed = [&arguments[..], &["--primary-key", "id", "--change-primary-key"]].concat();
    let ran = house.call(&changed).failed(4);
    assert!(ran.stderr.contains("in.c-main.t"), "{}", ran.stderr);
}

/// ESC, a C1 control, and what turns the direction of writing: what others named must not drive a terminal.
const OBEYED: [char; 3] = ['\u{1b}', '\u{9b}', '\u{202e}'];

#[test]
fn a_terminal_is_not_driven_by_names_that_others_chose() {
    let house = House::new();
    let evil = format!("{}[2J{}{}", OBEYED[0], OBEYED[1], OBEYED[2]);
    let import = |csv: &str| {
        let file = house.write("t.csv", csv);
        let key = format!("id{evil}");
        let arguments = ["table", "import", "in.c-main.t", file.to_str().unwrap(), "--primary-key", &key];
        house.call(&arguments).succeeded();
    };
    import(&format!("id{evil}\n1{evil}\n"));
    import(&format!("id{evil},more{evil}\n2{evil},{evil}\n"));
    let file = house.write("f.txt", "x");
    let tag = format!("tag{evil}");
    let name = format!("name{evil}");
    let put = ["file", "put", file.to_str().unwrap(), "--tag", &tag, "--name", &name];
    let put = house.call(&put).succeeded();
    house.write("task.yaml", "parameters: {}\n");
    let note = format!("note{evil}");
    house.call(&["config", "put", "elsewhere", "task", "task.yaml", "--note", &note]).succeeded();
    let verbs: [&[&str]; 10] = [
        &["table", "ls"],
        &["table", "ls", "--format", "json"],
        &["table", "show", "in.c-main.t"],
        &["table", "head", "in.c-main.t"],
        &["table", "history", "in.c-main.t", "--format", "json"],
        &["table", "diff", "in.c-main.t", "1", "2"],
        &["file", "ls"],
        &["file", "ls", "--format", "json"],
        &["config", "ls"],
        &["config", "history", "elsewhere", "task"],
    ];
    for verb in verbs {
        let ran = house.call(verb).succeeded();
        let shown = ran.stdout + &ran.stderr;
        assert!(!shown.contains(OBEYED), "{verb:?} drives a terminal: {shown:?}");
        assert!(shown.contains("\\u{1b}[2J") || shown.contains("\\u001b[2J"), "{verb:?}: {shown}");
    }
    assert!(!put.stderr.contains(OBEYED), "{:?}", put.stderr);
    // Told as an error, with what was asked for in it.
    let unknown = house.call(&["job", "show", &format!("no{evil}")]).failed(1);
    assert!(
        unknown.stderr.contains("no\\u{1b}[2J") && !unknown.stderr.contains(OBEYED),
        "{:?}",
        unknown.stderr
    );
    let unknown = format!("no{evil}");
    let refused = house.call(&["table", "export", "in.c-main.t", "--columns", &unknown]).failed(1);
    assert!(
        refused.stderr.contains("no\\u{1b}[2J") && !refused.stderr.contains(OBEYED),
        "{:?}",
        refused.stderr
    );
}
