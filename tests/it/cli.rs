//! The command line's own manners.

use std::process::Stdio;

use rstest::rstest;
use serde_json::json;

use crate::house::House;

#[test]
fn data_goes_to_stdout_and_words_for_people_to_stderr() {
    let house = House::new();
    let file = house.write("a.csv", "id\n1\n");
    let ran = house.call(&["table", "import", "in.c-main.t", file.to_str().unwrap()]).succeeded();
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("imported 1 row into in.c-main.t (version 1, 1 row)"), "{}", ran.stderr);
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
fn a_project_may_be_named_from_where_one_stands() {
    let house = House::new();
    let file = house.write("a.csv", "id\n1\n");
    std::fs::create_dir(house.path().join("inner")).unwrap();
    let longshore = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(arguments)
            .args(["--project", "inner"])
            .current_dir(house.path())
            .output();
        crate::house::ran(output.unwrap())
    };
    longshore(&["table", "import", "in.c-main.t", file.to_str().unwrap()]).succeeded();
    assert!(house.path().join("inner/.longshore/catalog.sqlite").exists());
    if !crate::house::has_engine() {
        return;
    }
    let storage =
        serde_json::json!({ "input": { "tables": [{ "source": "in.c-main.t", "destination": "t.csv" }] } });
    house.script_command("cat in/tables/t.csv", &storage, &[]);
    let spec = crate::house::fixture("components/raw-shell.yaml");
    longshore(&["run", spec.to_str().unwrap(), "--config", "task.json"]).succeeded();
}

#[test]
fn completions_are_printed_for_shells() {
    for (shell, what) in
        [("bash", "_longshore()"), ("zsh", "#compdef longshore"), ("fish", "complete -c longshore")]
    {
        let ran = House::new().call(&["completions", shell]).succeeded();
        assert!(ran.stdout.contains(what), "{}", ran.stdout);
    }
}

#[test]
fn every_verb_says_what_it_and_its_arguments_are_for() {
    let mut verbs = vec![String::new()];
    let mut seen = 0;
    while let Some(verb) = verbs.pop() {
        let mut arguments: Vec<&str> = verb.split_whitespace().collect();
        arguments.push("-h");
        let ran = House::new().call(&arguments).succeeded();
        assert!(!ran.stdout.starts_with("Usage"), "`{verb}` has no sentence:\n{}", ran.stdout);
        // Names stand at the margin, further lines of their explanations far from it.
        for line in ran.stdout.lines().filter(|line| line.starts_with("  ") && !line.starts_with("         "))
        {
            let (name, words) = line.trim_start().split_once("  ").unwrap_or((line, ""));
            assert!(!words.trim().is_empty(), "`{verb}`: {name} is not explained\n{}", ran.stdout);
        }
        let Some((_, commands)) = ran.stdout.split_once("Commands:\n") else { continue };
        for line in commands.lines().take_while(|line| line.starts_with("  ")) {
            let name = line.split_whitespace().next().unwrap();
            // A continued description is indented further.
            if line.starts_with("   ") || name == "help" {
                continue;
            }
            seen += 1;
            verbs.push(format!("{verb} {name}"));
        }
    }
    assert!(seen > 20, "only {seen} verbs were found");
}

#[test]
fn what_is_done_is_reported_as_json_where_asked() {
    let house = House::new();
    let report = |arguments: &[&str]| {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--format", "json"]);
        house.call(&arguments).succeeded().document()
    };
    house.write("a.csv", "id\n1\n2\n");
    let imported = report(&["table", "import", "in.c-main.t", "a.csv"]);
    assert_eq!(imported["tables"][0]["rows_total"], 2);
    let exported = report(&["table", "export", "in.c-main.t", "--output", "b.csv"]);
    assert_eq!(
        exported,
        json!({ "id": "in.c-main.t", "version": 1, "rows": 2, "bytes": 7, "file": "b.csv" })
    );
    assert_eq!(report(&["table", "drop", "in.c-main.t"]), json!({ "dropped": "in.c-main.t" }));
    let put = report(&["file", "put", "a.csv", "--name", "x"]);
    assert_eq!(put, json!({ "id": 1, "name": "x", "bytes": 7 }));
    let got = report(&["file", "get", "1", "--output", "c.csv"]);
    assert_eq!(got, json!({ "id": 1, "name": "x", "bytes": 7, "file": "c.csv" }));
    assert_eq!(report(&["file", "rm", "1"]), json!({ "removed": 1 }));
}

#[rstest]
#[case::a_missing_file(&["table", "import", "in.c-main.t", "missing.csv"], 1, "no such file")]
#[case::a_folder(&["table", "import", "in.c-main.t", "."], 1, "it is a folder")]
#[case::a_bad_id(&["table", "import", "orders", "a.csv"], 2, "stage.bucket.name")]
#[case::a_missing_file_to_store(&["file", "put", "missing.bin"], 1, "no such file")]
#[case::a_folder_to_store(&["file", "put", "."], 1, "it is a folder")]
#[case::no_such_file(&["file", "get", "9"], 1, "file 9 does not exist")]
#[case::no_folder_to_write_to(&["table", "export", "in.c-main.t", "--output", "no/such.csv"], 1, "make the folder no")]
#[case::no_such_job(&["job", "log", "0198c7a0-0000-7000-8000-000000000000"], 1, "does not exist")]
#[case::an_odd_job(&["job", "show", "seven"], 1, "job seven does not exist")]
#[case::an_odd_delimiter(&["table", "import", "in.c-main.t", "a.csv", "--delimiter", "ab"], 2, "no delimiter")]
#[case::no_project(&["table", "ls", "--project", "/no/such/folder"], 1, "/no/such/folder is not a folder that is there: make it")]
#[case::no_file_to_change(&["secret", "encrypt", "--component", "a", "--in-place", "b.yaml"], 2, "--in-place")]
#[case::no_folder_for_a_key(&["secret", "keygen", "--out", "no/such.key"], 1, "there is no folder no")]
#[case::half_a_public_key(&["secret", "encrypt", "--component", "a", "--recipient", "age1x"], 1, "62 characters")]
fn a_call_that_cannot_be_is_told_in_words(#[case] arguments: &[&str], #[case] code: i32, #[case] said: &str) {
    let house = House::new();
    house.import("in.c-main.t", "id\n1\n");
    let mut command = house.command(arguments);
    if arguments.contains(&"--project") {
        command = std::process::Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(arguments);
    }
    let ran = crate::house::ran(command.output().unwrap()).failed(code);
    assert!(ran.stderr.starts_with("error:") && ran.stderr.contains(said), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
}

#[test]
fn a_table_is_read_from_a_pipe_and_a_file_by_its_link() {
    let house = House::new();
    let mut child = house
        .command(&["table", "import", "in.c-main.t", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"id\n1\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(house.export("in.c-main.t"), "id\n1\n");
    let target = house.write("target.bin", "bytes");
    std::os::unix::fs::symlink(target, house.path().join("link.bin")).unwrap();
    let id = house.call(&["file", "put", "link.bin"]).succeeded().stdout;
    assert_eq!(house.call(&["file", "get", id.trim(), "--output", "-"]).succeeded().stdout, "bytes");
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
