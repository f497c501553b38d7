use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use crate::blob::{BlobError, Delivery, Source};

use super::{house, inode, key_of};

#[tokio::test]
async fn a_moved_file_becomes_the_blob_itself() {
    let house = house();
    let path = house.file("part.csv", "a\n1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4600)).unwrap();
    let before = inode(&path);
    let bytes = house.store.put_file(&key_of("t/1.csv"), &path, Source::Move).await.unwrap();
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
    assert_eq!(house.store.put_file(&key_of("t/1.csv"), &path, Source::Copy).await.unwrap(), 4);
    fs::write(&path, "changed").unwrap();
    assert_eq!(house.content("t/1.csv"), "a\n1\n");
    assert_eq!(fs::metadata(house.stored("t/1.csv")).unwrap().mode() & 0o7777, 0o644);
    assert_eq!(
        fs::read_dir(house.stored(".scratch/test")).unwrap().count(),
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
    assert_eq!(house.store.put_file(&key_of("t/1.csv"), &path, Source::Move).await.unwrap(), 4);
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
    assert!(!same_device, "this test needs two file systems: /dev/shm and the one of temporary files");
    let path = elsewhere.path().join("part.csv");
    fs::write(&path, "a\n1\n").unwrap();
    assert_eq!(house.store.put_file(&key_of("t/1.csv"), &path, Source::Move).await.unwrap(), 4);
    assert!(!path.exists());
    let target = elsewhere.path().join("delivered.csv");
    assert_eq!(house.store.deliver(&key_of("t/1.csv"), &target, Delivery::Link).await.unwrap(), 4);
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
    house.store.put_file(&key_of("t/1.csv"), &path, Source::Move).await.unwrap();
    let stored = fs::metadata(house.stored("t/1.csv")).unwrap();
    assert_eq!((stored.uid(), stored.gid()), (us.as_raw(), rustix::process::getegid().as_raw()));
}

#[tokio::test]
async fn what_is_not_a_plain_file_is_refused_and_never_followed() {
    let house = house();
    let at = |name: &str| house.directory.path().join(name);
    house.file("secret", "host");
    symlink(at("secret"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::from_raw_mode(0o644)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["link", "dangling", "folder", "fifo", "socket"] {
        for source in [Source::Move, Source::Copy] {
            let refused = house.store.put_file(&key_of("t/1.csv"), &at(name), source).await.unwrap_err();
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
    house.store.put_bytes(&key_of("t/1"), b"first".to_vec()).await.unwrap();
    let path = house.file("part", "second");
    for source in [Source::Copy, Source::Move] {
        let refused = house.store.put_file(&key_of("t/1"), &path, source).await.unwrap_err();
        assert!(matches!(refused, BlobError::AlreadyStored { key } if key == key_of("t/1")));
    }
    let refused = house.store.put_bytes(&key_of("t/1"), b"third".to_vec()).await.unwrap_err();
    assert!(matches!(refused, BlobError::AlreadyStored { .. }));
    assert_eq!(house.content("t/1"), "first");
    assert_eq!(fs::read_to_string(path).unwrap(), "second");
    assert_eq!(
        fs::read_dir(house.stored(".scratch/test")).unwrap().count(),
        0,
        "a half-written file was left"
    );
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
    house.store.put_file(&key_of("t/1"), &path, Source::Move).await.unwrap();
    assert_eq!(inode(&house.stored("t/1")), before);
}
