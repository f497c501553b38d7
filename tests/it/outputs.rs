//! What a component may write and what becomes of it, through the whole story.

use std::collections::HashMap;
use std::io::Read as _;

use serde_json::{Value, json};

use crate::house::{House, NO_VERSIONS, has_engine};

#[test]
fn a_manifest_says_what_the_mapping_does_not_and_the_mapping_wins_where_both_speak() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "printf '1;a\\n2;b\\n' >out/tables/t.csv; \
        echo '{\"columns\":[\"id\",\"v\"],\"delimiter\":\";\",\"primary_key\":[\"id\"],\"incremental\":true,\"destination\":\"out.c-other.x\"}' >out/tables/t.csv.manifest";
    let storage = json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t", "incremental": false }] } });
    let ran = house.run_script(script, &storage).succeeded();
    assert_eq!(ran.document()["output"]["tables"][0]["load"], "replace");
    assert_eq!(house.export("out.c-main.t"), "id,v\n1,a\n2,b\n");
    assert_eq!(house.versions("out.c-other.x"), NO_VERSIONS);
}

#[test]
fn a_folder_of_slices_becomes_one_table() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "mkdir out/tables/t.csv; printf '1,a\\n' >out/tables/t.csv/p1; printf '2,b\\n' >out/tables/t.csv/p2; : >out/tables/t.csv/p3";
    let table = json!({ "source": "t.csv", "destination": "out.c-main.t", "columns": ["id", "v"] });
    house.run_script(script, &json!({ "output": { "tables": [table] } })).succeeded();
    assert_eq!(house.export("out.c-main.t"), "id,v\n1,a\n2,b\n");
}

#[test]
fn unmapped_outputs_go_to_the_default_bucket_and_orphans_are_refused() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let storage = json!({ "output": { "default_bucket": "out.c-main" } });
    house.run_script("printf 'id\\n1\\n' >out/tables/plain.csv", &storage).succeeded();
    assert_eq!(house.versions("out.c-main.plain"), [1]);
    let ran = house.run_script("echo '{}' >out/tables/lost.csv.manifest", &storage).failed(1);
    assert!(ran.message().contains("lost.csv.manifest"), "{}", ran.message());
    let missing = json!({ "output": { "tables": [
        { "source": "a.csv", "destination": "out.c-main.a" }, { "source": "b.csv", "destination": "out.c-main.b" },
    ] } });
    let ran = house.run_script("true", &missing).failed(1);
    assert!(ran.message().contains("a.csv") && ran.message().contains("b.csv"), "{}", ran.message());
}

#[test]
fn an_empty_file_needs_columns_and_with_them_makes_an_empty_table() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let table = |columns: serde_json::Value| json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t", "columns": columns }] } });
    let ran = house.run_script(": >out/tables/t.csv", &table(json!(null))).failed(1);
    assert!(ran.message().contains("empty"), "{}", ran.message());
    house.run_script(": >out/tables/t.csv", &table(json!(["id", "v"]))).succeeded();
    assert_eq!(house.export("out.c-main.t"), "id,v\n");
}

#[test]
fn another_primary_key_than_the_tables_is_refused_unless_the_change_is_asked_for() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let run = |key: &[&str], change: bool| {
        let table = json!({
            "source": "t.csv", "destination": "out.c-main.t", "incremental": true, "primary_key": key,
            "primary_key_change": change,
        });
        house.run_script(
            "printf 'a,b\\n1,2\\n' >out/tables/t.csv",
            &json!({ "output": { "tables": [table] } }),
        )
    };
    run(&["a"], false).succeeded();
    let ran = run(&["b"], false).failed(1);
    assert!(ran.stderr.contains('a') && ran.stderr.contains("primary_key_change"), "{}", ran.stderr);
    run(&["b"], true).succeeded();
}

#[test]
fn state_is_kept_for_the_next_run_and_erased_when_not_written() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let step = |script: &str| {
        let ran = house.run_script(script, &json!({})).succeeded();
        house.call(&["job", "log", &ran.job()]).succeeded().stdout
    };
    let show = "cat in/state.json | tr -d ' \\n'";
    assert_eq!(step(&format!("{show}; echo '{{\"last\": 7}}' >out/state.json")), "{}");
    assert_eq!(step(&format!("{show}; cp in/state.json out/state.json")), "{\"last\":7}");
    assert_eq!(step(show), "{\"last\":7}");
    assert_eq!(step(show), "{}", "a component that writes no state erases it");
    let ran = house.run_script("echo '{\"a\": }' >out/state.json", &json!({})).failed(1);
    assert!(ran.message().contains("line 1"), "{}", ran.message());
}

#[test]
fn a_run_reads_only_what_is_new_when_it_asks_for_changes() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let append = |rows: &str| {
        let file = house.write("rows.csv", format!("id\n{rows}"));
        house.call(&["table", "import", "in.c-main.t", file.to_str().unwrap(), "--incremental"]).succeeded();
    };
    let storage = json!({ "input": { "tables": [{ "source": "in.c-main.t", "destination": "t.csv", "changed_since": "adaptive" }] } });
    let read = || {
        let ran = house.run_script("cat in/tables/t.csv", &storage).succeeded();
        house.call(&["job", "log", &ran.job()]).succeeded().stdout
    };
    append("1\n2\n");
    assert_eq!(read(), "id\n1\n2\n");
    append("3\n");
    assert_eq!(read(), "id\n3\n");
    assert_eq!(read(), "id\n");
}

#[test]
fn files_go_in_and_out_with_tags() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let file = house.write("photo.bin", "bytes");
    house.call(&["file", "put", file.to_str().unwrap(), "--tag", "incoming"]).succeeded();
    let storage = json!({
        "input": { "files": [{ "tags": ["incoming"], "processed_tags": ["seen"] }] },
        "output": { "files": [{ "source": "copy.bin", "tags": ["outgoing"] }] },
    });
    house.run_script("cat in/files/*_photo.bin >out/files/copy.bin", &storage).succeeded();
    let ids = |tag: &str| {
        let listed = house.call(&["file", "ls", "--tag", tag, "--format", "json"]).succeeded().stdout;
        let files: serde_json::Value = serde_json::from_str(&listed).unwrap();
        files.as_array().unwrap().iter().map(|file| file["id"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids("seen").len(), 1);
    let copies = ids("outgoing");
    assert_eq!(house.call(&["file", "get", &copies[0], "--output", "-"]).succeeded().stdout, "bytes");
}

#[test]
fn tables_marked_write_always_are_published_though_the_component_fails() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let storage = json!({ "output": { "tables": [
        { "source": "log.csv", "destination": "out.c-main.log", "write_always": true },
        { "source": "data.csv", "destination": "out.c-main.data" },
    ] } });
    let script = "printf 'id\\n1\\n' >out/tables/log.csv; printf 'id\\n1\\n' >out/tables/data.csv; exit 1";
    house.run_script(script, &storage).failed(1);
    assert_eq!((house.versions("out.c-main.log"), house.versions("out.c-main.data")), (vec![1], vec![]));
}

#[test]
fn rows_run_one_after_the_other_and_see_earlier_rows_tables() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let row = |id: &str, script: &str, storage: serde_json::Value| json!({ "id": id, "configuration": { "parameters": { "script": script }, "storage": storage } });
    let configuration = json!({ "rows": [
        row("first", "printf 'id\\n1\\n' >out/tables/a.csv",
            json!({ "output": { "tables": [{ "source": "a.csv", "destination": "out.c-main.a" }] } })),
        row("second", "cp in/tables/a.csv out/tables/b.csv; echo $KBC_CONFIGROWID",
            json!({
                "input": { "tables": [{ "source": "out.c-main.a", "destination": "a.csv" }] },
                "output": { "tables": [{ "source": "b.csv", "destination": "out.c-main.b" }] },
            })),
    ] });
    house.write("task.json", configuration.to_string());
    let spec = crate::house::fixture("components/raw-shell.yaml");
    let ran =
        house.call(&["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"]).succeeded();
    assert_eq!(ran.document()["output"]["tables"].as_array().unwrap().len(), 2);
    assert_eq!(house.export("out.c-main.b"), "id\n1\n");
    assert_eq!(house.call(&["job", "log", &ran.job()]).succeeded().stdout, "second\n");
}

#[test]
fn a_failing_row_stops_the_job_or_is_passed_over_as_the_configuration_says() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let row = |id: &str, script: &str| {
        let table = json!({ "source": "t.csv", "destination": format!("out.c-main.{id}") });
        let storage = json!({ "output": { "tables": [table] } });
        json!({ "id": id, "configuration": { "parameters": { "script": script }, "storage": storage } })
    };
    let good = "printf 'id\\n1\\n' >out/tables/t.csv";
    let run = |on_error: &str| {
        let rows = [row("first", good), row("second", "echo 'no money' >&2; exit 1"), row("third", good)];
        let configuration = json!({ "rows": rows, "runtime": { "on_error": on_error } });
        house.write("task.json", configuration.to_string());
        let spec = crate::house::fixture("components/raw-shell.yaml");
        house.call(&["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"])
    };
    let stopped = run("stop").failed(1);
    assert_eq!(stopped.message(), "no money");
    assert_eq!(house.versions("out.c-main.first"), [1], "an earlier row stays committed");
    assert_eq!(house.versions("out.c-main.third"), NO_VERSIONS);

    let went_on = run("continue").succeeded();
    let document = went_on.document();
    assert_eq!(
        (&document["status"], went_on.message().as_str()),
        (&json!("warning"), "row second failed: no money")
    );
    assert_eq!(house.versions("out.c-main.third"), [1]);
    let listed = house.call(&["job", "ls", "--format", "json"]).succeeded().stdout;
    let jobs: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(jobs[0]["status"], "warning");
    house.is_clean();
}

#[test]
fn the_document_tells_what_earlier_rows_and_write_always_published_of_a_failed_job() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let row = |id: &str, code: u32| {
        let table =
            json!({ "source": "t.csv", "destination": format!("out.c-main.{id}"), "write_always": true });
        let script = format!("printf 'id\\n1\\n' >out/tables/t.csv; exit {code}");
        let storage = json!({ "output": { "tables": [table] } });
        json!({ "id": id, "configuration": { "parameters": { "script": script }, "storage": storage } })
    };
    house.write("task.json", json!({ "rows": [row("first", 0), row("second", 1)] }).to_string());
    let spec = crate::house::fixture("components/raw-shell.yaml");
    let ran = house.call(&["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"]);
    let document = ran.failed(1).document();
    let tables = document["output"]["tables"].as_array().unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["out.c-main.first", "out.c-main.second"]);
    assert_eq!(document["usage"]["output_files"], 2);
}

#[test]
fn input_mode_stages_and_stops() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.t", "id,v\n1,a\n2,b\n");
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.t", "destination": "t.csv", "columns": ["v"] }] },
        "output": { "tables": [{ "source": "o.csv", "destination": "out.c-main.o" }] },
    });
    let ran = house.run_script_with("exit 1", &storage, &["--mode", "input"]).succeeded();
    let staged = house.path().join(".longshore/staged").join(ran.job());
    assert_eq!(std::fs::read_to_string(staged.join("in/tables/t.csv")).unwrap(), "v\na\nb\n");
    assert!(staged.join("config.json").exists());
    assert_eq!(house.versions("out.c-main.o"), NO_VERSIONS);
    house.is_clean();
}

/// The one archive of a stage, unpacked: every file with its bytes.
fn archive(house: &House, job: &str, stage: &str) -> HashMap<String, Vec<u8>> {
    let run = format!("runId: {job}");
    let listed =
        house.call(&["file", "ls", "--tag", "debug", "--tag", stage, "--tag", &run, "--format", "json"]);
    let files: Value = serde_json::from_str(&listed.succeeded().stdout).unwrap();
    assert_eq!(files.as_array().unwrap().len(), 1, "{files}");
    assert_eq!(files[0]["name"], format!("{stage}.tar.zst"));
    let output = house.path().join(format!("{job}-{stage}"));
    let id = files[0]["id"].to_string();
    house.call(&["file", "get", &id, "--output", output.to_str().unwrap()]).succeeded();
    let mut tar = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(output).unwrap()).unwrap());
    let mut contents = HashMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        contents.insert(entry.path().unwrap().display().to_string(), bytes);
    }
    contents
}

#[test]
fn debug_mode_archives_the_folder_before_and_after_and_publishes_nothing() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.t", "id\n7\n");
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.t", "destination": "t.csv" }] },
        "output": { "tables": [{ "source": "o.csv", "destination": "out.c-main.o" }] },
    });
    let script = "printf 'id\\n1\\n' >out/tables/o.csv; echo '{\"last\": 1}' >out/state.json";
    let ran = house.run_script_with(script, &storage, &["--mode", "debug"]).succeeded();
    assert_eq!(house.versions("out.c-main.o"), NO_VERSIONS);
    let document = ran.document();
    assert_eq!(document["output"], json!({ "tables": [], "files": [] }));
    assert_eq!(document["archives"].as_array().unwrap().len(), 2);
    let shown = house.call(&["job", "show", &ran.job()]).succeeded().document();
    assert_eq!((&shown["output"], &shown["archives"]), (&document["output"], &document["archives"]));
    let before = archive(&house, &ran.job(), "stage_0");
    assert_eq!(before["in/tables/t.csv"], b"id\n7\n");
    assert!(before.contains_key("config.json") && !before.contains_key("out/tables/o.csv"));
    let after = archive(&house, &ran.job(), "stage_output");
    assert_eq!(after["out/tables/o.csv"], b"id\n1\n");
    // The next run goes on from the state before: nothing of a debug run is kept but its archives.
    let ran = house.run_script("cat in/state.json", &json!({})).succeeded();
    assert_eq!(house.call(&["job", "log", &ran.job()]).succeeded().stdout.trim(), "{}");
    house.is_clean();
}

#[test]
fn debug_mode_keeps_an_archive_of_what_failed_and_no_secret_is_in_it() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let configuration = json!({
        "parameters": { "script": "cp in/state.json out/files/copy; fresh=fresh-; echo '{\"#token\": \"'$fresh'token\"}' >out/state.json; ln -s /etc/passwd out/files/link; exit 1" },
        "authorization": { "oauth_api": { "credentials": {
            "#data": "{\"access_token\": \"pike-7777777\"}", "#appSecret": "swordfish-9000", "#flag": true, "appKey": "k",
        } } },
    });
    house.write("task.json", configuration.to_string());
    let spec = crate::house::fixture("components/raw-shell.yaml");
    let arguments =
        ["run", spec.to_str().unwrap(), "--config", "task.json", "--mode", "debug", "--format", "json"];
    let ran = house.call(&arguments).failed(1);
    assert_eq!(ran.error_code(), "component_user_error");
    assert_eq!(ran.document()["archives"].as_array().unwrap().len(), 2);
    assert!(ran.stderr.contains("out/files/link is a symbolic link"), "{}", ran.stderr);
    let before_and_after = ["stage_0", "stage_output"].map(|stage| archive(&house, &ran.job(), stage));
    for contents in &before_and_after {
        let config: Value = serde_json::from_slice(&contents["config.json"]).unwrap();
        assert_eq!(
            config["authorization"]["oauth_api"]["credentials"],
            json!({ "#data": "[hidden]", "#appSecret": "[hidden]", "#flag": "[hidden]", "appKey": "k" })
        );
        for (name, bytes) in contents {
            let text = String::from_utf8_lossy(bytes);
            for secret in ["swordfish-9000", "pike-7777777", "fresh-token"] {
                assert!(!text.contains(secret), "{secret} is in {name}");
            }
        }
    }
    assert!(!before_and_after[0].contains_key("out/files/copy"));
    assert_eq!(before_and_after[1]["out/files/copy"], b"{}\n");
    assert!(!before_and_after[1].contains_key("out/files/link"));
    house.is_clean();
}

#[test]
fn debug_mode_checks_the_outputs_as_a_run_does() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let storage = json!({ "output": { "tables": [{ "source": "o.csv", "destination": "out.c-main.o" }] } });
    let ran = house
        .run_script_with("printf 'id\\n1,2\\n' >out/tables/o.csv", &storage, &["--mode", "debug"])
        .failed(1);
    assert_eq!(ran.error_code(), "output_invalid");
    assert_eq!(archive(&house, &ran.job(), "stage_output")["out/tables/o.csv"], b"id\n1,2\n");
    house.is_clean();
}
