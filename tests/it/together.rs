//! Several runs at once on one table: no row lost, none doubled.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::house::{House, fixture, has_engine, ran};

/// Starts `count` runs at once, each writing `rows(n)`, and waits for them.
fn all_at_once(house: &House, count: usize, primary_key: &[&str], rows: impl Fn(usize) -> String) {
    let spec = fixture("components/raw-shell.yaml");
    let children: Vec<_> = (0..count)
        .map(|n| {
            let script = format!("printf 'id,by\\n{}' >out/tables/t.csv", rows(n).replace('\n', "\\n"));
            let table = json!({ "source": "t.csv", "destination": "out.c-main.t", "incremental": true, "primary_key": primary_key });
            let configuration = json!({ "parameters": { "script": script }, "storage": { "output": { "tables": [table] } } });
            let file = house.write(&format!("task-{n}.json"), configuration.to_string());
            let arguments = ["run", spec.to_str().unwrap(), "--config", file.to_str().unwrap(), "--format", "json"];
            house.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        ran(child.wait_with_output().unwrap()).succeeded();
    }
}

fn records(house: &House, table: &str) -> Vec<String> {
    house.export(table).lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn runs_that_append_to_one_table_lose_and_double_nothing() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    all_at_once(&house, 4, &[], |n| format!("1,{n}\n2,{n}\n3,{n}\n"));
    let rows = records(&house, "out.c-main.t");
    let different: BTreeSet<&String> = rows.iter().collect();
    assert_eq!((rows.len(), different.len()), (12, 12), "{rows:?}");
    assert_eq!(house.versions("out.c-main.t"), [4, 3, 2, 1]);
    house.is_clean();
}

#[test]
fn runs_that_upsert_into_one_table_leave_each_key_once_and_whole() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    // Every run writes keys 1 to 5 and one key of its own.
    all_at_once(&house, 4, &["id"], |n| format!("1,{n}\n2,{n}\n3,{n}\n4,{n}\n5,{n}\nown-{n},{n}\n"));
    let rows = records(&house, "out.c-main.t");
    let keys: BTreeSet<&str> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!((rows.len(), keys.len()), (9, 9), "{rows:?}");
    // One run's rows are never mixed with another's: who committed last has all five shared keys.
    let writers: BTreeSet<&str> = rows
        .iter()
        .filter(|row| !row.starts_with("own-"))
        .map(|row| row.split(',').nth(1).unwrap())
        .collect();
    assert_eq!(writers.len(), 1, "{rows:?}");
}

#[test]
fn imports_from_several_processes_are_all_kept() {
    let house = House::new();
    let children: Vec<_> = (0..6)
        .map(|n| {
            let file = house.write(&format!("part-{n}.csv"), format!("id\n{n}\n"));
            let arguments = ["table", "import", "in.c-main.t", file.to_str().unwrap(), "--incremental"];
            house.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        ran(child.wait_with_output().unwrap()).succeeded();
    }
    let mut rows = records(&house, "in.c-main.t");
    rows.sort();
    assert_eq!(rows, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn a_reader_during_many_commits_sees_whole_versions() {
    let house = House::new();
    house.import("in.c-main.t", "id,round\n1,0\n2,0\n");
    let writer = {
        let files: Vec<_> =
            (1..6).map(|n| house.write(&format!("r{n}.csv"), format!("id,round\n1,{n}\n2,{n}\n"))).collect();
        let commands: Vec<_> = files
            .iter()
            .map(|file| house.command(&["table", "import", "in.c-main.t", file.to_str().unwrap()]))
            .collect();
        std::thread::spawn(move || {
            for mut command in commands {
                assert!(command.output().unwrap().status.success());
            }
        })
    };
    while !writer.is_finished() {
        let ran = house.call(&["table", "head", "in.c-main.t", "--format", "json"]).succeeded();
        let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 2);
        assert_eq!(rows[0]["round"], rows[1]["round"], "{rows}");
    }
    writer.join().unwrap();
}
