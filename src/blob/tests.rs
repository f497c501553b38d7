use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{BlobError, BlobKey, BlobStore, Delivery, Source};

struct House {
    directory: TempDir,
    store: BlobStore,
}

fn house() -> House {
    let directory = TempDir::new().unwrap();
    let store = BlobStore::directory(&directory.path().join("blobs"), true).unwrap();
    House { directory, store }
}

impl House {
    fn file(&self, name: &str, content: &str) -> std::path::PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn stored(&self, key: &str) -> std::path::PathBuf {
        self.directory.path().join("blobs").join(key)
    }

    fn content(&self, key: &str) -> String {
        let mut text = String::new();
        self.store
            .open(&key_of(key))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        self.store
            .list(prefix)
            .await
            .unwrap()
            .into_iter()
            .map(|info| info.key.to_string())
            .collect()
    }
}

fn key_of(text: &str) -> BlobKey {
    BlobKey::parse(text).unwrap()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

proptest! {
    #[test]
    fn no_key_ever_leaves_the_root(text in "[a.b_\\-/\\\\ \u{0}é]{0,12}|(\\.|/|a|\\.scratch){0,8}") {
        if let Ok(key) = BlobKey::parse(text.clone()) {
            let joined = Path::new("/root").join(key.as_str());
            let below: Vec<_> = joined.strip_prefix("/root").unwrap().components().collect();
            prop_assert!(!below.is_empty());
            prop_assert!(below.iter().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(below.len(), text.split('/').count());
            prop_assert!(!joined.starts_with("/root/.scratch"));
            prop_assert_eq!(key.as_str(), text);
        }
    }

    #[test]
    fn plain_keys_are_keys(text in "[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}){0,5}") {
        prop_assert!(BlobKey::parse(text).is_ok());
    }
}

#[test]
fn a_key_is_neither_absolute_nor_hidden_nor_endless() {
    let long_part = "a".repeat(256);
    let long_key = vec!["a".repeat(200); 6].join("/");
    for bad in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        ".scratch/x",
        "a b",
        &long_part,
        &long_key,
    ] {
        assert!(
            matches!(BlobKey::parse(bad), Err(BlobError::Key { text }) if text == bad),
            "{bad:?} was accepted"
        );
    }
}

#[tokio::test]
async fn a_moved_file_becomes_the_blob_itself() {
    let house = house();
    let path = house.file("part.csv", "a\n1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4600)).unwrap();
    let before = inode(&path);
    let bytes = house
        .store
        .put_file(&key_of("t/1.csv"), &path, Source::Move)
        .await
        .unwrap();
    assert_eq!(bytes, 4);
    assert!(!path.exists());
    let stored = fs::metadata(house.stored("t/1.csv")).unwrap();
    assert_eq!((stored.ino(), stored.mode() & 0o7777), (before, 0o644));
    assert_eq!(house.content("t/1.csv"), "a\n1\n");
}

#[tokio::test]
async fn a_copied_file_stays_and_shares_nothing_with_the_blob() {
    let house = house();
    let path = house.file("part.csv", "a\n1\n");
    assert_eq!(
        house
            .store
            .put_file(&key_of("t/1.csv"), &path, Source::Copy)
            .await
            .unwrap(),
        4
    );
    fs::write(&path, "changed").unwrap();
    assert_eq!(house.content("t/1.csv"), "a\n1\n");
    assert_eq!(
        fs::metadata(house.stored("t/1.csv")).unwrap().mode() & 0o7777,
        0o644
    );
    assert_eq!(
        fs::read_dir(house.stored(".scratch")).unwrap().count(),
        0,
        "a half-written file was left"
    );
}

#[tokio::test]
async fn a_moved_file_with_another_name_is_copied_so_that_nobody_can_write_to_the_blob() {
    let house = house();
    let path = house.file("part.csv", "a\n1\n");
    let other = house.directory.path().join("other-name.csv");
    fs::hard_link(&path, &other).unwrap();
    assert_eq!(
        house
            .store
            .put_file(&key_of("t/1.csv"), &path, Source::Move)
            .await
            .unwrap(),
        4
    );
    assert!(!path.exists());
    fs::write(&other, "changed").unwrap();
    assert_eq!(house.content("t/1.csv"), "a\n1\n");
}

#[tokio::test]
async fn a_file_of_another_file_system_is_copied() {
    let house = house();
    let elsewhere = TempDir::new_in("/dev/shm").unwrap();
    let same_device =
        fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(house.stored("")).unwrap().dev();
    assert!(
        !same_device,
        "this test needs two file systems: /dev/shm and the one of temporary files"
    );
    let path = elsewhere.path().join("part.csv");
    fs::write(&path, "a\n1\n").unwrap();
    assert_eq!(
        house
            .store
            .put_file(&key_of("t/1.csv"), &path, Source::Move)
            .await
            .unwrap(),
        4
    );
    assert!(!path.exists());
    let target = elsewhere.path().join("delivered.csv");
    assert_eq!(
        house
            .store
            .deliver(&key_of("t/1.csv"), &target, Delivery::Link)
            .await
            .unwrap(),
        4
    );
    assert_eq!(fs::read_to_string(target).unwrap(), "a\n1\n");
}

#[tokio::test]
async fn a_file_of_another_user_becomes_ours() {
    let house = house();
    let path = house.file("part.csv", "a\n1\n");
    let us = rustix::process::geteuid();
    if us.is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), Some(12_345)).unwrap();
    }
    house
        .store
        .put_file(&key_of("t/1.csv"), &path, Source::Move)
        .await
        .unwrap();
    let stored = fs::metadata(house.stored("t/1.csv")).unwrap();
    assert_eq!(
        (stored.uid(), stored.gid()),
        (us.as_raw(), rustix::process::getegid().as_raw())
    );
}

#[tokio::test]
async fn what_is_not_a_plain_file_is_refused_and_never_followed() {
    let house = house();
    let at = |name: &str| house.directory.path().join(name);
    house.file("secret", "host");
    symlink(at("secret"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        at("fifo"),
        rustix::fs::Mode::from_raw_mode(0o644),
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["link", "dangling", "folder", "fifo", "socket"] {
        for source in [Source::Move, Source::Copy] {
            let refused = house
                .store
                .put_file(&key_of("t/1.csv"), &at(name), source)
                .await
                .unwrap_err();
            assert!(
                matches!(&refused, BlobError::NotPlainFile { path } if *path == at(name)),
                "{name}: {refused}"
            );
        }
    }
    assert_eq!(house.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_is_used_once() {
    let house = house();
    house
        .store
        .put_bytes(&key_of("t/1"), b"first".to_vec())
        .await
        .unwrap();
    let path = house.file("part", "second");
    for source in [Source::Copy, Source::Move] {
        let refused = house
            .store
            .put_file(&key_of("t/1"), &path, source)
            .await
            .unwrap_err();
        assert!(matches!(refused, BlobError::AlreadyStored { key } if key == key_of("t/1")));
    }
    let refused = house
        .store
        .put_bytes(&key_of("t/1"), b"third".to_vec())
        .await
        .unwrap_err();
    assert!(matches!(refused, BlobError::AlreadyStored { .. }));
    assert_eq!(house.content("t/1"), "first");
    assert_eq!(fs::read_to_string(path).unwrap(), "second");
    assert_eq!(
        fs::read_dir(house.stored(".scratch")).unwrap().count(),
        0,
        "a half-written file was left"
    );
}

#[tokio::test]
async fn a_blob_is_delivered_as_a_link_or_as_its_own_bytes() {
    let house = house();
    house
        .store
        .put_bytes(&key_of("t/1"), b"rows".to_vec())
        .await
        .unwrap();
    let linked = house.directory.path().join("linked");
    let copied = house.directory.path().join("copied");
    assert_eq!(
        house
            .store
            .deliver(&key_of("t/1"), &linked, Delivery::Link)
            .await
            .unwrap(),
        4
    );
    assert_eq!(
        house
            .store
            .deliver(&key_of("t/1"), &copied, Delivery::Copy)
            .await
            .unwrap(),
        4
    );
    assert_eq!(inode(&linked), inode(&house.stored("t/1")));
    assert_ne!(inode(&copied), inode(&house.stored("t/1")));
    assert_eq!(fs::read_to_string(&copied).unwrap(), "rows");
}

#[tokio::test]
async fn a_delivery_never_replaces_what_is_there() {
    let house = house();
    house
        .store
        .put_bytes(&key_of("t/1"), b"rows".to_vec())
        .await
        .unwrap();
    let taken = house.file("taken", "mine");
    for how in [Delivery::Link, Delivery::Copy] {
        let refused = house
            .store
            .deliver(&key_of("t/1"), &taken, how)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, BlobError::Io { path, .. } if *path == taken),
            "{refused}"
        );
    }
    assert_eq!(fs::read_to_string(taken).unwrap(), "mine");
}

#[tokio::test]
async fn a_missing_blob_is_named() {
    let house = house();
    let key = key_of("t/none");
    let to = house.directory.path().join("to");
    let mut refused = vec![house.store.open_file(&key).unwrap_err()];
    for how in [Delivery::Link, Delivery::Copy] {
        refused.push(house.store.deliver(&key, &to, how).await.unwrap_err());
    }
    for error in refused {
        assert_eq!(error.to_string(), "blob t/none is not in the store");
    }
    assert!(!to.exists());
    house.store.remove(&key).await.unwrap();
}

#[tokio::test]
async fn a_list_is_in_key_order_and_tells_sizes_of_blobs_alone() {
    let house = house();
    for (key, content) in [("b/x.csv", "22"), ("b-c", "1"), ("a/z/deep", "333"), ("b/y", "")] {
        house.store.put_bytes(&key_of(key), content.into()).await.unwrap();
    }
    let scratch = house.store.scratch().unwrap();
    fs::write(scratch.path().join("half"), "x").unwrap();
    fs::write(house.stored("not a key"), "x").unwrap();
    symlink("/etc/passwd", house.stored("link")).unwrap();
    let all = house.store.list("").await.unwrap();
    let found: Vec<_> = all.iter().map(|info| (info.key.as_str(), info.bytes)).collect();
    assert_eq!(found, [("a/z/deep", 3), ("b-c", 1), ("b/x.csv", 2), ("b/y", 0)]);
    assert_eq!(house.keys("b").await, ["b-c", "b/x.csv", "b/y"]);
    assert_eq!(house.keys("b/").await, ["b/x.csv", "b/y"]);
    assert_eq!(house.keys("b/x").await, ["b/x.csv"]);
    assert_eq!(house.keys("nothing/here").await, Vec::<String>::new());
    assert!(matches!(
        house.store.list("../").await,
        Err(BlobError::Key { .. })
    ));
}

#[tokio::test]
async fn removing_the_last_blob_of_a_directory_removes_the_directory() {
    let house = house();
    for key in ["a/b/c/1", "a/b/2"] {
        house.store.put_bytes(&key_of(key), b"x".to_vec()).await.unwrap();
    }
    house.store.remove(&key_of("a/b/c/1")).await.unwrap();
    assert!(!house.stored("a/b/c").exists());
    assert!(house.stored("a/b/2").exists());
    house.store.remove(&key_of("a/b/2")).await.unwrap();
    assert!(!house.stored("a").exists());
    assert!(house.stored("").exists());
}

#[tokio::test]
async fn putting_and_pruning_beside_each_other_lose_nothing() {
    let house = house();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = house.store.clone();
        tasks.spawn(async move {
            for round in 0..50 {
                let key = key_of(&format!("shared/folder/{writer}-{round}"));
                store.put_bytes(&key, b"x".to_vec()).await.unwrap();
                store.remove(&key).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(house.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_file_made_in_scratch_is_put_by_a_rename() {
    let house = house();
    let scratch = house.store.scratch().unwrap();
    let path = scratch.path().join("slice.csv");
    fs::File::create(&path).unwrap().write_all(b"a\n").unwrap();
    let before = inode(&path);
    house
        .store
        .put_file(&key_of("t/1"), &path, Source::Move)
        .await
        .unwrap();
    assert_eq!(inode(&house.stored("t/1")), before);
}

#[test]
fn a_full_disk_and_a_full_quota_are_recognised() {
    let io = |errno: rustix::io::Errno| BlobError::Io {
        action: "write",
        path: "/blobs/x".into(),
        source: std::io::Error::from_raw_os_error(errno.raw_os_error()),
    };
    assert!(io(rustix::io::Errno::NOSPC).is_disk_full());
    assert!(io(rustix::io::Errno::DQUOT).is_disk_full());
    assert!(!io(rustix::io::Errno::ACCESS).is_disk_full());
}
