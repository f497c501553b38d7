//! What a component may leave behind to be read, hung on or filled up with.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::world::{World, at, clean, full, mapped, output, write};
use crate::job::{OutputLimits, OutputMapping};
use crate::mapping::beneath::{EntryKind, OutputFolder};
use crate::mapping::{DataFolder, collect};

async fn refused(folder: &DataFolder) -> Vec<String> {
    let mapping = OutputMapping { default_bucket: Some("in.c-x".into()), ..OutputMapping::default() };
    let refused = collect(&mapping, folder, &clean()).await.unwrap_err();
    refused.iter().map(ToString::to_string).collect()
}

fn fifo(path: &std::path::Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

#[tokio::test]
async fn only_plain_files_are_taken_and_nothing_hangs() {
    let world = World::new().await;
    let folder = world.folder().await;
    symlink("/etc/passwd", at(&folder, "out/tables/link.csv")).unwrap();
    symlink("/etc", at(&folder, "out/tables/linked-folder")).unwrap();
    fifo(&at(&folder, "out/tables/pipe.csv"));
    let _socket = UnixListener::bind(at(&folder, "out/tables/socket.csv")).unwrap();
    write(&folder, "out/tables/good.csv", "id\n1\n");
    symlink("/etc/passwd", at(&folder, "out/tables/good.csv.manifest")).unwrap();
    symlink("/etc/passwd", at(&folder, "out/files/link.txt")).unwrap();
    fifo(&at(&folder, "out/files/pipe.txt"));
    let only = "only plain files are taken";
    assert_eq!(
        refused(&folder).await,
        [
            format!("out/tables/good.csv.manifest is a symbolic link: {only}"),
            format!("out/tables/link.csv is a symbolic link: {only}"),
            format!("out/tables/linked-folder is a symbolic link: {only}"),
            format!("out/tables/pipe.csv is a named pipe: {only}"),
            format!("out/tables/socket.csv is a socket: {only}"),
            format!("out/files/link.txt is a symbolic link: {only}"),
            format!("out/files/pipe.txt is a named pipe: {only}"),
        ]
    );
    assert_eq!(world.blobs().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sliced_table_holds_plain_files_only() {
    let world = World::new().await;
    let folder = world.folder().await;
    fs::create_dir_all(at(&folder, "out/tables/sliced/inner")).unwrap();
    symlink("/etc/passwd", at(&folder, "out/tables/sliced/link")).unwrap();
    write(&folder, "out/tables/sliced.manifest", r#"{"columns": ["a"]}"#);
    assert_eq!(
        refused(&folder).await,
        [
            "out/tables/sliced/link is a symbolic link: only plain files are taken",
            "out/tables/sliced/inner is a folder: only plain files are taken",
        ]
    );
}

#[tokio::test]
async fn an_output_folder_that_was_exchanged_for_a_link_is_refused() {
    let world = World::new().await;
    let folder = world.folder().await;
    fs::remove_dir(at(&folder, "out/tables")).unwrap();
    symlink("/etc", at(&folder, "out/tables")).unwrap();
    fs::remove_dir(at(&folder, "out/files")).unwrap();
    assert_eq!(refused(&folder).await, ["out/tables is a symbolic link: expected a folder"]);
}

#[tokio::test]
async fn a_sparse_giant_is_refused_without_being_read() {
    let world = World::new().await;
    let folder = world.folder().await;
    let terabyte = 1 << 40;
    for path in ["out/tables/giant.csv", "out/files/giant.bin", "out/tables/giant.csv.manifest"] {
        File::create(at(&folder, path)).unwrap().set_len(terabyte).unwrap();
    }
    let told = refused(&folder).await;
    assert_eq!(told.len(), 3, "{told:#?}");
    for line in told {
        assert!(line.contains("claims 1099511627776 bytes but has only"), "{line}");
    }
}

#[tokio::test]
async fn odd_names_are_refused_and_shown_harmlessly() {
    let world = World::new().await;
    let folder = world.folder().await;
    let tables = at(&folder, "out/tables");
    write(&folder, "out/tables/bell\u{7}.csv", "id\n1\n");
    fs::write(tables.join(OsStr::from_bytes(b"\xff.csv")), "id\n1\n").unwrap();
    fs::write(tables.join("x".repeat(201)), "id\n1\n").unwrap();
    write(&folder, "out/tables/Same.csv", "id\n1\n");
    write(&folder, "out/tables/same.csv", "id\n1\n");
    let mut told = refused(&folder).await;
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "out/tables has a name of 201 bytes, at most 200 are allowed: \"".to_owned()
                + &"x".repeat(201)
                + "\" (shorten it)",
            "out/tables has a name that is not valid UTF-8: \"\u{fffd}.csv\" (name it in UTF-8)".into(),
            "out/tables has a name with a control character: \"bell\\u{7}.csv\" (name it without)".into(),
            "out/tables has both \"Same.csv\" and \"same.csv\", which differ only in case (rename one)"
                .into(),
        ]
    );
}

#[tokio::test]
async fn a_million_files_are_refused_after_looking_at_some() {
    let world = World::new().await;
    let folder = world.folder().await;
    for number in 0..=20_000 {
        File::create(at(&folder, &format!("out/files/{number}"))).unwrap();
    }
    assert_eq!(
        refused(&folder).await,
        [
            "out/files has more than 20000 entries: write fewer and larger files, or raise `outputs.entries_max` in the settings"
        ]
    );
}

#[tokio::test]
async fn a_huge_manifest_is_refused_unread() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id\n1\n");
    write(&folder, "out/tables/a.csv.manifest", &" ".repeat(2 << 20));
    assert_eq!(
        refused(&folder).await,
        ["out/tables/a.csv.manifest has 2097152 bytes, at most 1048576 are read (write less into it)"]
    );
}

#[tokio::test]
async fn an_output_exchanged_after_it_was_looked_at_is_refused() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id\n1\n");
    let mapping = mapped(vec![output("a.csv", "in.c-x.a", full())]);
    let collected = collect(&mapping, &folder, &clean()).await.unwrap();
    fs::rename(at(&folder, "out/tables/a.csv"), at(&folder, "out/tables/old.csv")).unwrap();
    write(&folder, "out/tables/a.csv", "id\n2\n");
    let told = world.publish_collected(collected).await.unwrap_err();
    assert_eq!(told, "out/tables/a.csv is a file that was exchanged: only plain files are taken");
    assert_eq!(world.blobs().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_manifest_that_grows_after_it_was_looked_at_is_read_no_further_than_allowed() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.manifest", &"x".repeat(50));
    let opened = OutputFolder::open(&folder.data(), "out/tables", OutputLimits::default()).unwrap().unwrap();
    let EntryKind::File(looked_at) = opened.look("a.manifest").unwrap() else { panic!("it is a file") };
    File::options()
        .append(true)
        .open(at(&folder, "out/tables/a.manifest"))
        .and_then(|mut file| file.write_all(&[b'x'; 100]))
        .unwrap();
    let told = looked_at.read_text(100).unwrap_err().to_string();
    assert_eq!(told, "out/tables/a.manifest has 101 bytes, at most 100 are read (write less into it)");
}

#[tokio::test]
async fn what_is_taken_is_for_the_settings_to_say() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/long-name.csv", "id\n1\n");
    write(&folder, "out/tables/a.csv", "id\n1\n2\n");
    write(&folder, "out/tables/b.csv", "id\n");
    write(&folder, "out/tables/b.csv.manifest", r#"{"destination": "in.c-x.b"}"#);
    fs::create_dir(at(&folder, "out/tables/c")).unwrap();
    write(&folder, "out/tables/c/1", "1\n2\n");
    write(&folder, "out/tables/c/2", "3\n4\n");
    write(&folder, "out/tables/c.manifest", r#"{"columns": ["id"]}"#);
    File::create(at(&folder, "out/files/hollow")).unwrap().set_len(2000).unwrap();
    let limits = OutputLimits {
        name_bytes_max: 10,
        manifest_bytes_max: 20,
        sparse_bytes_min: 1000,
        table_bytes_max: 6,
        ..OutputLimits::default()
    };
    let mapping = OutputMapping { default_bucket: Some("in.c-x".into()), limits, ..OutputMapping::default() };
    let told = collect(&mapping, &folder, &clean()).await.unwrap_err();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    let too_much = "write less, or raise `outputs.table_bytes_max` in the settings";
    assert_eq!(
        told,
        [
            "out/tables has a name of 13 bytes, at most 10 are allowed: \"long-name.csv\" (shorten it)".to_owned(),
            "out/tables has a name of 14 bytes, at most 10 are allowed: \"b.csv.manifest\" (shorten it)".to_owned(),
            format!("out/tables/a.csv has 7 bytes, at most 6 make a table: {too_much}"),
            format!("out/tables/c has 8 bytes, at most 6 make a table: {too_much}"),
            "out/files/hollow claims 2000 bytes but has only 0 on disk: sparse files are not taken, write what the \
             file holds"
                .to_owned(),
        ]
    );
    let few = OutputLimits { entries_max: 2, ..OutputLimits::default() };
    let mapping = OutputMapping { limits: few, ..mapping };
    let told = collect(&mapping, &folder, &clean()).await.unwrap_err();
    assert!(told.iter().any(|line| line.to_string().starts_with("out/tables has more than 2 entries")));
}
