//! Outputs that are not what they seem: names, manifests, modes, and files that hold less than they say.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use super::{Scene, Trick};
use crate::house::NO_VERSIONS;

#[test]
fn odd_names_are_refused_with_the_folder_and_harmless_ones_taken() {
    let Some(scene) = Scene::open(&[]) else { return };
    for (script, told) in [
        ("touch \"$(printf 'out/tables/\\377.csv')\"", "out/tables has a name that is not valid UTF-8"),
        (
            "touch \"$(printf 'out/files/a\\033[2Jb')\"",
            "out/files has a name with a control character: \"a\\u{1b}[2Jb\"",
        ),
        (
            "touch out/files/ab out/files/aB",
            "out/files has both \"aB\" and \"ab\", which differ only in case",
        ),
        (
            "touch out/files/$(head -c 201 /dev/zero | tr '\\0' x)",
            "out/files has a name of 201 bytes, at most 200",
        ),
    ] {
        scene.play(&Trick::new(script)).fails("output_unsafe", &[told]);
    }
    let script = "printf 'id\\n' >./out/tables/-rf.csv; touch ./out/files/--help './out/files/..' 2>/dev/null; \
                  touch out/files/...x './out/files/a b;$(reboot)'";
    let storage =
        json!({ "output": { "tables": [{ "source": "-rf.csv", "destination": "out.c-main.dash" }] } });
    let played = scene.play(&Trick::new(script).storage(storage)).succeeds();
    let document = played.document();
    let files: Vec<&str> = document["output"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["--help", "a b;$(reboot)"]);
    scene.close();
}

#[test]
fn names_cannot_lead_out_of_the_data_folder() {
    let Some(scene) = Scene::open(&[]) else { return };
    let manifest = |destination: &str| {
        format!(
            "printf 'id\\n' >out/tables/a.csv; echo '{{\"destination\": \"{destination}\"}}' >out/tables/a.csv.manifest"
        )
    };
    for destination in ["../../etc/passwd", "in.c-main.a/../../b", "out.c-main.", "out.c-main.a\\\\u0000b"] {
        let played = scene.play(&Trick::new(&manifest(destination)));
        played.fails("output_invalid", &["out/tables/a.csv"]);
    }
    let script = "rm -r out/tables; ln -s ../in out/tables";
    scene
        .play(&Trick::new(script))
        .fails("output_unsafe", &["out/tables is a symbolic link: expected a folder"]);
    let script = "mkdir out/tables/t; ln -s /etc/passwd out/tables/t/1; echo '{\"columns\":[\"a\"]}' >out/tables/t.manifest";
    scene.play(&Trick::new(script)).fails("output_unsafe", &["out/tables/t/1 is a symbolic link"]);
    scene.close();
}

#[test]
fn manifests_that_are_bombs_are_refused_with_their_path() {
    let Some(scene) = Scene::open(&[]) else { return };
    let manifest = |text: &str| {
        format!("printf 'id\\n1\\n' >out/tables/a.csv; printf '%s' '{text}' >out/tables/a.csv.manifest")
    };
    let names = |text: &str| {
        scene.play(&Trick::new(&manifest(text))).fails("output_invalid", &["out/tables/a.csv.manifest"]);
    };
    names("{\"incremental\": true, \"incremental\": false}");
    names("{\"primary_key\": 1e999999}");
    names("{\"columns\": [\"id\", {\"a\": [[[[]]]]}]}");
    names("{\"destination\": \"out.c-main.a\"");
    names("&a [*a, *a]");
    let script = "printf 'id\\n1\\n' >out/tables/a.csv; \
                  { printf '{\"destination\": '; head -c 900k /dev/zero | tr '\\0' 9; printf '}'; } >out/tables/a.csv.manifest";
    scene.play(&Trick::new(script)).fails("output_invalid", &["out/tables/a.csv.manifest"]);
    let script = "printf 'id\\n1\\n' >out/tables/a.csv; \
                  dd if=/dev/zero of=out/tables/a.csv.manifest bs=1 count=0 seek=1073741824 2>/dev/null";
    let told = ["out/tables/a.csv.manifest has 1073741824 bytes", "at most 1048576 are read"];
    scene.play(&Trick::new(script).limit("disk", "4g")).fails("output_unsafe", &told);
    assert_eq!(scene.house.versions("out.c-main.a"), NO_VERSIONS);
    scene.close();
}

#[test]
fn files_that_claim_more_than_they_hold_are_refused_below_the_disk_limit() {
    let Some(scene) = Scene::open(&[]) else { return };
    let script = "dd if=/dev/zero of=out/tables/a.csv bs=1 count=0 seek=3221225472 2>/dev/null";
    let told = ["out/tables/a.csv claims 3221225472 bytes but has only", "sparse files are not taken"];
    scene.play(&Trick::new(script).limit("disk", "4g")).fails("output_unsafe", &told);
    let large = Scene::open(&[("LONGSHORE_OUTPUTS_TABLE_BYTES_MAX", "1m")]).unwrap();
    let script = "{ echo id; seq 1 200000; } >out/tables/a.csv";
    let told = ["out/tables/a.csv has 1288898 bytes", "`outputs.table_bytes_max`"];
    large.play(&Trick::new(script)).fails("output_unsafe", &told);
    large.close();
    scene.close();
}

#[test]
fn a_thousand_wrong_outputs_make_a_message_that_can_be_read() {
    let Some(scene) = Scene::open(&[]) else { return };
    let script = "cd out/files; for i in $(seq 1 1000); do ln -s /etc/passwd $i; done";
    let played = scene.play(&Trick::new(script)).fails("output_unsafe", &["and 950 more of the kind"]);
    assert_eq!(played.document()["message"].as_str().unwrap().lines().count(), 51);
    scene.close();
}

#[test]
fn a_manifest_with_very_many_mistakes_makes_a_message_that_can_be_read() {
    let Some(scene) = Scene::open(&[]) else { return };
    let manifest = |text: &str| {
        format!("printf 'a,b\\n1,2\\n' >out/tables/a.csv; {{ {text}; }} >out/tables/a.csv.manifest")
    };
    // Each of them is met in no time; all against all would take minutes.
    let keys = "awk 'BEGIN { printf \"{\"; for (i = 0; i < 70000; i++) printf \"%s\\\"k%d\\\":%d\", i ? \",\" : \"\", i, i; print \"}\" }'";
    let played = scene.play(&Trick::new(&manifest(keys))).fails("output_invalid", &["69950 more mistakes"]);
    assert_eq!(played.document()["message"].as_str().unwrap().lines().count(), 51);
    let names = "awk 'BEGIN { for (i = 0; i < 50000; i++) printf \"%s\\\"c%d\\\"\", i ? \",\" : \"\", i }'";
    let columns =
        format!("printf '{{\"columns\":['; {names}; printf '],\"primary_key\":['; {names}; printf ']}}'");
    scene.play(&Trick::new(&manifest(&columns))).fails("output_invalid", &["expected 50000 fields, found 2"]);
    let key = "printf '{\"'; head -c 900k /dev/zero | tr '\\0' k; printf '\":1}'";
    let played =
        scene.play(&Trick::new(&manifest(key))).fails("output_invalid", &["[cut: the text has 9216"]);
    let document = played.document();
    for text in [&document["message"], &document["error"]["detail"]] {
        assert!(text.as_str().unwrap().len() < 70_000, "{}", text.as_str().unwrap().len());
    }
    scene.close();
}

#[test]
fn modes_neither_hide_an_output_nor_outlive_it() {
    let Some(scene) = Scene::open(&[]) else { return };
    let script = "printf 'id\\n1\\n' >out/tables/a.csv; chmod 0 out/tables/a.csv; echo x >out/files/s; chmod 6777 out/files/s";
    let trick = Trick::new(script).spec("user", "image");
    // Whoever is not root is told that it may not be read.
    if rustix::process::geteuid().is_root() {
        scene.play(&trick).succeeds();
        assert_eq!(scene.house.export("out.c-main.a"), "id\n1\n");
    } else {
        scene.play(&trick).fails("output_unsafe", &["out/tables/a.csv may not be read"]);
    }
    let mut folders = vec![scene.house.path().join(".longshore/blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { is_plain(&path) }
        }
    }
    scene.close();
}

fn is_plain(blob: &Path) {
    let mode = fs::metadata(blob).unwrap().mode();
    assert_eq!(mode & 0o6133, 0, "{} has the mode {mode:o}", blob.display());
}
