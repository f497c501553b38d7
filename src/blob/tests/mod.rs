//! The directory store at its door. `put` has what may be put and how.

mod put;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Component, Path};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{BlobError, BlobKey, BlobStore, Delivery};

struct House {
    directory: TempDir,
    store: BlobStore,
}

fn house() -> House {
    let directory = TempDir::new().unwrap();
    let store = BlobStore::directory(&directory.path().join("blobs"), "test", true).unwrap();
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
        self.store.open(&key_of(key)).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        self.store.list(prefix).await.unwrap().into_iter().map(|info| info.key.to_string()).collect()
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
    for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", ".scratch/x", "a b", &long_part, &long_key]
    {
        assert!(
            matches!(BlobKey::parse(bad), Err(BlobError::Key { text }) if text == bad),
            "{bad:?} was accepted"
        );
    }
}

#[tokio::test]
async fn a_blob_is_delivered_as_a_link_or_as_its_own_bytes() {
    let house = house();
    house.store.put_bytes(&key_of("t/1"), b"rows".to_vec()).await.unwrap();
    let linked = house.directory.path().join("linked");
    let copied = house.directory.path().join("copied");
    assert_eq!(house.store.deliver(&key_of("t/1"), &linked, Delivery::Link).await.unwrap(), 4);
    assert_eq!(house.store.deliver(&key_of("t/1"), &copied, Delivery::Copy).await.unwrap(), 4);
    assert_eq!(inode(&linked), inode(&house.stored("t/1")));
    assert_ne!(inode(&copied), inode(&house.stored("t/1")));
    assert_eq!(fs::read_to_string(&copied).unwrap(), "rows");
}

#[tokio::test]
async fn a_delivery_never_replaces_what_is_there() {
    let house = house();
    house.store.put_bytes(&key_of("t/1"), b"rows".to_vec()).await.unwrap();
    let taken = house.file("taken", "mine");
    for how in [Delivery::Link, Delivery::Copy] {
        let refused = house.store.deliver(&key_of("t/1"), &taken, how).await.unwrap_err();
        assert!(matches!(&refused, BlobError::Io { path, .. } if *path == taken), "{refused}");
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
    assert!(matches!(house.store.list("../").await, Err(BlobError::Key { .. })));
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
