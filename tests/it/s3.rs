//! A project whose tables lie in a bucket: the true program against a real S3 server.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{House, has_engine, numbered};
use crate::running::Running;

/// A project on the server of `scripts/s3.sh`, with a prefix of its own. Without a server a test prints that it was
/// skipped; in CI that is a failure.
fn house() -> Option<House> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/s3.sh");
    if !Command::new(&script).arg("answers").status().unwrap().success() {
        #[expect(
            clippy::disallowed_methods,
            reason = "CI says by its environment that nothing may be skipped"
        )]
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "no S3 server answers; scripts/s3.sh start starts one");
        eprintln!("SKIP (no S3 server): {:?}", std::thread::current().name());
        return None;
    }
    let said = Command::new(&script).arg("env").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let house = House::new();
    let prefix = house.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.').to_owned();
    let mut lines = vec![format!("prefix: tests/{prefix}-{}", std::process::id())];
    for line in said.lines() {
        let (name, value) = line.trim_start_matches("LONGSHORE_BLOBS_S3_").split_once('=').unwrap();
        lines.push(format!("{}: {value}", name.to_lowercase()));
    }
    let settings = format!("sync: false\nblobs:\n  s3:\n    {}\n", lines.join("\n    "));
    house.write("longshore.yaml", settings);
    Some(house)
}

/// What a gc did, or would do.
fn gc(house: &House, arguments: &[&str]) -> Value {
    let all = [&["gc", "--format", "json"], arguments].concat();
    serde_json::from_str(&house.call(&all).succeeded().stdout).unwrap()
}

#[test]
fn a_project_in_a_bucket_works_like_one_in_a_folder() {
    let Some(house) = house() else { return };
    if !has_engine() {
        return;
    }
    house.import("in.c-main.t", "id,v\n1,a\n2,b\n");
    let script = "head -n 1 in/tables/t.csv >out/tables/t.csv; sed -n 's/^2,b/2,c/p' in/tables/t.csv >>out/tables/t.csv; \
                  echo 3,d >>out/tables/t.csv; echo made >out/files/made.txt; echo said";
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.t", "destination": "t.csv" }] },
        "output": { "tables": [{
            "source": "t.csv", "destination": "in.c-main.t", "incremental": true, "primary_key": ["id"],
        }] },
    });
    let rekey =
        ["table", "import", "in.c-main.t", "import.csv", "--primary-key", "id", "--change-primary-key"];
    house.call(&rekey).succeeded();
    let ran = house.run_script(script, &storage).succeeded();
    assert_eq!(house.export("in.c-main.t"), "id,v\n1,a\n2,c\n3,d\n");
    let log = house.call(&["job", "log", &ran.job()]).succeeded();
    assert_eq!(log.stdout, "said\n");
    assert_eq!(house.call(&["file", "get", "1", "--output", "-"]).succeeded().stdout, "made\n");
    house.call(&["file", "get", "1", "--output", "here.txt"]).succeeded();
    assert_eq!(fs::read_to_string(house.path().join("here.txt")).unwrap(), "made\n");
    assert!(!house.path().join(".longshore/blobs").exists(), "blobs lie in the folder");
}

#[test]
fn gc_leaves_what_is_young_and_removes_what_is_old_and_unneeded() {
    let Some(house) = house() else { return };
    house.import("in.c-main.kept", "id\n1\n");
    house.import("in.c-main.t", "id\n1\n");
    house.call(&["table", "drop", "in.c-main.t"]).succeeded();
    let nothing = gc(&house, &[]);
    assert_eq!((&nothing["blobs"], &nothing["kept"]), (&json!(0), &json!(0)));
    let would = gc(&house, &["--min-age", "0s", "--dry-run"]);
    assert_eq!(would["blobs"], json!(1));
    let freed = gc(&house, &["--min-age", "0s"]);
    assert_eq!((&freed["blobs"], &freed["bytes"]), (&json!(1), &would["bytes"]));
    assert_eq!(gc(&house, &["--min-age", "0s"])["blobs"], json!(0));
    assert_eq!(house.export("in.c-main.kept"), "id\n1\n");
}

#[test]
fn gc_leaves_what_a_job_that_is_open_has_uploaded_or_may_read() {
    let Some(house) = house() else { return };
    if !has_engine() {
        return;
    }
    house.import("in.c-main.t", "id\n1\n");
    let script = "cp in/tables/t.csv out/tables/u.csv";
    let storage = json!({
        "input": { "tables": [{ "source": "in.c-main.t", "destination": "t.csv" }] },
        "output": { "tables": [{ "source": "u.csv", "destination": "out.c-main.u" }] },
    });
    let mut running = Running::start(&mut house.script_command(script, &storage, &["--hold-at", "commit"]));
    running.wait_for("holding at commit");
    let kept = gc(&house, &["--min-age", "0s"]);
    // The new slice; the complete log is on record already.
    assert_eq!((&kept["blobs"], &kept["kept"]), (&json!(0), &json!(1)), "{kept}");
    // What the job was given is forgotten behind its back.
    house.call(&["table", "drop", "in.c-main.t"]).succeeded();
    let kept = gc(&house, &["--min-age", "0s"]);
    assert_eq!((&kept["blobs"], &kept["kept"]), (&json!(0), &json!(2)), "{kept}");
    running.signal("INT");
    running.finish().failed(130);
    gc(&house, &["--min-age", "0s"]);
    let after = gc(&house, &["--min-age", "0s"]);
    assert_eq!((&after["blobs"], &after["kept"]), (&json!(0), &json!(0)), "{after}");
}

#[test]
fn an_upload_of_a_process_that_was_killed_is_given_up_by_gc() {
    let Some(house) = house() else { return };
    // Large enough to be met on its way, and of no bytes on any disk.
    File::create(house.path().join("large")).unwrap().set_len(1 << 30).unwrap();
    let putting = Running::start(&mut house.command(&["file", "put", "large"]));
    let deadline = Instant::now() + Duration::from_secs(120);
    while gc(&house, &["--min-age", "0s", "--dry-run"])["uploads"] == json!(0) {
        assert!(Instant::now() < deadline, "no upload was seen on its way");
    }
    putting.kill();
    assert_eq!(gc(&house, &[])["uploads"], json!(0), "a young one may still be somebody's");
    assert_eq!(gc(&house, &["--min-age", "0s"])["uploads"], json!(1));
    assert_eq!(gc(&house, &["--min-age", "0s"])["uploads"], json!(0));
    let listed: Value =
        serde_json::from_str(&house.call(&["file", "ls", "--format", "json"]).succeeded().stdout).unwrap();
    assert_eq!(listed, json!([]));
}

#[test]
fn an_age_is_for_buckets() {
    let house = House::new();
    let refused = house.call(&["gc", "--min-age", "1h"]).failed(2);
    assert!(refused.stderr.contains("--min-age is for blobs in a bucket"), "{}", refused.stderr);
}

#[test]
fn a_wrong_bucket_is_told_with_its_name_and_address() {
    let Some(house) = house() else { return };
    let settings = fs::read_to_string(house.path().join("longshore.yaml")).unwrap();
    house.write("longshore.yaml", settings.replace("longshore-test", "nobodys-bucket"));
    house.write("t.csv", "id\n1\n");
    let refused = house.call(&["table", "import", "in.c-main.t", "t.csv"]).failed(4);
    assert!(
        refused.stderr.contains("there is no bucket nobodys-bucket at http://127.0.0.1:13900"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_large_table_goes_through_the_bucket_unchanged() {
    let Some(house) = house() else { return };
    let rows = format!("id\n{}", numbered(3_000_000, ""));
    house.import("in.c-main.t", &rows);
    assert!(house.export("in.c-main.t") == rows, "the table comes back differently");
}
