//! What goes into the archive of a data folder, whatever a component made of it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;

use rstest::rstest;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use super::world::{Lies, World, at, write};
use crate::events::Redactor;
use crate::mapping::{ArchiveOrder, DataFolder, Origin, Publication, archive, commit};

const SECRET: &str = "swordfish-9000";

/// The entries of the archive in their order, and what was left out.
async fn archived(
    world: &World,
    folder: &DataFolder,
    bytes_max: u64,
) -> (Vec<(String, Vec<u8>)>, Vec<String>) {
    let order = ArchiveOrder {
        stage: "stage_0",
        tags: vec!["runId: 7".into()],
        origin: Origin::Import,
        bytes_max,
        redactor: Redactor::new([SECRET]),
    };
    let archived = archive(folder, order, &world.blob).await.unwrap();
    let receipt =
        commit(archived.prepared, Publication::default(), &world.catalog, &world.blob).await.unwrap();
    let file = world.catalog.file(receipt.files[0].id).await.unwrap().unwrap();
    assert_eq!((file.name.as_str(), file.is_permanent), ("stage_0.tar.zst", false));
    assert_eq!(file.tags, ["debug", "stage_0", "runId: 7"]);
    let blob = world.blob.clone();
    let packed = tokio::task::spawn_blocking(move || blob.open_file(&file.blob).unwrap()).await.unwrap();
    let plain = zstd::Decoder::new(packed).unwrap();
    let mut tar = tar::Archive::new(plain);
    let mut entries = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.push((entry.path().unwrap().display().to_string(), content));
    }
    (entries, archived.left_out)
}

fn content<'a>(entries: &'a [(String, Vec<u8>)], path: &str) -> &'a [u8] {
    &entries.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no {path}")).1
}

#[rstest]
#[tokio::test]
async fn the_whole_folder_is_packed_with_configuration_and_states_masked(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let folder = world.folder().await;
    let configuration = json!({
        "parameters": { "#password": SECRET, "script": format!("echo {SECRET}"), "#list": [{"a": 1}], "n": 1.5 },
        "image_parameters": { "#empty": "" },
    });
    folder.write_config(&configuration).await.unwrap();
    folder.write_state(&json!({ "#token": "t", "kept": [true, null] })).await.unwrap();
    write(&folder, "in/tables/t.csv", "id\n1\n");
    write(&folder, "out/state.json", r##"{"#token": "fresh", "kept": "x"}"##);
    write(&folder, "out/files/plain.txt", "any bytes");
    let (entries, left_out) = archived(&world, &folder, 1 << 20).await;
    assert_eq!(left_out, Vec::<String>::new());
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "config.json",
            "in/",
            "out/",
            "in/files/",
            "in/state.json",
            "in/tables/",
            "in/user/",
            "in/tables/t.csv",
            "out/files/",
            "out/state.json",
            "out/tables/",
            "out/files/plain.txt",
        ]
    );
    let parsed = |path| serde_json::from_slice::<Value>(content(&entries, path)).unwrap();
    assert_eq!(
        parsed("config.json"),
        json!({
            "parameters": { "#password": "[hidden]", "script": "echo [hidden]", "#list": "[hidden]", "n": 1.5 },
            "image_parameters": { "#empty": "[hidden]" },
        })
    );
    assert_eq!(parsed("in/state.json"), json!({ "#token": "[hidden]", "kept": [true, null] }));
    assert_eq!(parsed("out/state.json"), json!({ "#token": "[hidden]", "kept": "x" }));
    assert_eq!(content(&entries, "in/tables/t.csv"), b"id\n1\n");
    assert_eq!(content(&entries, "out/files/plain.txt"), b"any bytes");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_hidden_whole_and_stays_json() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/state.json", "{\"#token\": \"not in the configuration\", }");
    let (entries, left_out) = archived(&world, &folder, 1 << 20).await;
    let sentence = "out/state.json cannot be read at line 1, column 40, so it is hidden";
    let state: Value = serde_json::from_slice(content(&entries, "out/state.json")).unwrap();
    assert_eq!((state, left_out), (json!({ "[hidden]": sentence }), vec![sentence.to_owned()]));
}

#[tokio::test]
async fn what_is_unsafe_or_too_large_is_left_out_and_told() {
    let world = World::new().await;
    let folder = world.folder().await;
    symlink("/etc/passwd", at(&folder, "out/tables/link.csv")).unwrap();
    symlink("/etc", at(&folder, "out/linked")).unwrap();
    mknodat(CWD, at(&folder, "out/files/pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    File::create(at(&folder, "out/files/giant")).unwrap().set_len(1 << 40).unwrap();
    write(&folder, "out/files/large", &"x".repeat(2000));
    write(&folder, "out/files/small", "small");
    fs::remove_file(at(&folder, "config.json")).ok();
    symlink("/etc/hostname", at(&folder, "config.json")).unwrap();
    let (entries, left_out) = archived(&world, &folder, 1000).await;
    assert_eq!(
        left_out,
        [
            "config.json is a symbolic link: only plain files are taken",
            "out/linked is a symbolic link: only plain files are taken",
            "out/files/giant claims 1099511627776 bytes but has only 0 on disk: sparse files are not taken, write what the file holds",
            "out/files/pipe is a named pipe: only plain files are taken",
            "out/files/large with 2000 bytes is over the size limit",
            "out/tables/link.csv is a symbolic link: only plain files are taken",
        ]
    );
    let files: Vec<_> = entries.iter().filter(|(name, _)| !name.ends_with('/')).collect();
    assert_eq!(files, [&("out/files/small".to_owned(), b"small".to_vec())]);
}

#[tokio::test]
async fn a_bottomless_folder_and_a_crowd_of_links_end_soon() {
    let world = World::new().await;
    let folder = world.folder().await;
    let mut deep = at(&folder, "out/files");
    for _ in 0..100 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    for number in 0..30 {
        symlink("/etc/passwd", at(&folder, &format!("out/tables/{number}"))).unwrap();
    }
    let (entries, left_out) = archived(&world, &folder, 1000).await;
    assert!(entries.len() < 80, "{}", entries.len());
    assert!(left_out[0].ends_with("lies more than 64 folders deep"), "{left_out:?}");
    assert_eq!((left_out.len(), left_out[20].as_str()), (21, "11 more are left out"));
}
