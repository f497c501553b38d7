use std::io::Seek;
use std::os::unix::fs::symlink;

use rstest::rstest;

use super::*;
use crate::blob::{BlobInfo, Delivery};

const MIB: usize = 1024 * 1024;

#[rstest]
#[case::nothing("t/nothing.csv", 0)]
#[case::nothing_as_it_is("t/nothing", 0)]
#[case::small("t/small.csv", 100)]
#[case::small_as_it_is("t/small", 100)]
#[case::several_frames("t/frames.csv", 20 * MIB + 1)]
#[case::several_parts("t/parts.csv", 80 * MIB)]
#[case::several_parts_as_they_are("t/parts", 40 * MIB + 3)]
#[case::whole_parts_as_they_are("t/whole-parts", 32 * MIB)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_comes_back_by_every_way(#[case] key: &str, #[case] bytes: usize) {
    let Some(bucket) = Bucket::new().await else { return };
    let content = rows(bytes);
    assert_eq!(bucket.put(key, &content).await.unwrap(), bytes as u64);
    assert!(bucket.read(key).await.unwrap() == content, "the reader gives other bytes");
    for how in [Delivery::Link, Delivery::Copy] {
        let to = bucket.folder.path().join(format!("{how:?}"));
        assert_eq!(bucket.store.deliver(&key_of(key), &to, how).await.unwrap(), bytes as u64);
        assert!(std::fs::read(to).unwrap() == content, "the delivery gives other bytes");
    }
    let (store, key) = (bucket.store.clone(), key_of(key));
    let local = tokio::task::spawn_blocking(move || {
        let mut local = store.open_file(&key).unwrap();
        let mut twice = Vec::new();
        local.read_to_end(&mut twice).unwrap();
        local.rewind().unwrap();
        local.read_to_end(&mut twice).unwrap();
        twice
    });
    assert!(local.await.unwrap() == content.repeat(2), "the local file gives other bytes");
}

#[tokio::test]
async fn a_slice_is_small_in_the_bucket_and_readable_by_any_zstd() {
    let Some(bucket) = Bucket::new().await else { return };
    let content = b"a,b\n1,2\n".repeat(3 * MIB);
    bucket.put("t/1.csv", &content).await.unwrap();
    bucket.put("t/1.keys", &content).await.unwrap();
    let stored = bucket.object("t/1.csv").await;
    assert!(stored.len() * 100 < content.len(), "{} bytes were stored", stored.len());
    assert!(zstd::decode_all(&stored[..]).unwrap() == content);
    assert!(bucket.object("t/1.keys").await == content, "only slices are compressed");
    let listed = bucket.store.list("t/").await.unwrap();
    let listed: Vec<_> = listed.iter().map(|info| (info.key.as_str(), info.bytes)).collect();
    assert_eq!(listed, [("t/1.csv", stored.len() as u64), ("t/1.keys", content.len() as u64)]);
}

#[tokio::test]
async fn a_list_is_in_key_order_over_all_pages_and_knows_nothing_of_other_prefixes() {
    let Some(bucket) = Bucket::new().await else { return };
    let other = Bucket::with(S3Options { prefix: "tests/nobody".into(), ..bucket.options.clone() }).await;
    let mut expected: Vec<String> = (0..1010).map(|number| format!("many/{number}")).collect();
    expected.extend(["a-b".into(), "a/b".into()]);
    let path = bucket.file("one", b"1");
    let mut putting = tokio::task::JoinSet::new();
    for key in &expected {
        let (store, key, path) = (bucket.store.clone(), key_of(key), path.clone());
        putting.spawn(async move { store.put_file(&key, &path, Source::Copy).await });
    }
    while let Some(put) = putting.join_next().await {
        put.unwrap().unwrap();
    }
    expected.sort();
    assert_eq!(bucket.keys("").await, expected);
    assert_eq!(bucket.keys("a").await, ["a-b", "a/b"]);
    assert_eq!(bucket.keys("a/").await, ["a/b"]);
    assert_eq!(bucket.keys("nothing/here").await, Vec::<String>::new());
    assert_eq!(other.keys("").await, Vec::<String>::new());
    assert!(matches!(bucket.store.list("../").await, Err(BlobError::Key { .. })));
    let now = jiff::Timestamp::now();
    let BlobInfo { modified, .. } = bucket.store.list("a/").await.unwrap().remove(0);
    assert!((now - modified).get_seconds().abs() < 3600, "{modified} is not about now");
}

#[tokio::test]
async fn a_removed_blob_is_gone_and_one_that_is_not_there_is_fine() {
    let Some(bucket) = Bucket::new().await else { return };
    bucket.put("t/1", b"x").await.unwrap();
    bucket.store.remove(&key_of("t/1")).await.unwrap();
    bucket.store.remove(&key_of("t/1")).await.unwrap();
    assert_eq!(bucket.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_blob_is_named() {
    let Some(bucket) = Bucket::new().await else { return };
    let to = bucket.folder.path().join("to");
    let refused = bucket.store.deliver(&key_of("t/none"), &to, Delivery::Copy).await.unwrap_err();
    assert_eq!(refused.to_string(), "blob t/none is not in the store");
    assert!(!to.exists());
    let refused = bucket.read("t/none.csv").await.unwrap_err();
    assert_eq!(refused.to_string(), "blob t/none.csv is not in the store");
}

#[tokio::test]
async fn a_delivery_never_replaces_what_is_there() {
    let Some(bucket) = Bucket::new().await else { return };
    bucket.put("t/1", b"rows").await.unwrap();
    let taken = bucket.file("taken", b"mine");
    let refused = bucket.store.deliver(&key_of("t/1"), &taken, Delivery::Copy).await.unwrap_err();
    assert!(matches!(&refused, BlobError::Io { path, .. } if *path == taken), "{refused}");
    assert_eq!(std::fs::read(taken).unwrap(), b"mine");
}

#[tokio::test]
async fn a_moved_file_is_gone_and_what_is_not_a_plain_file_is_refused() {
    let Some(bucket) = Bucket::new().await else { return };
    let path = bucket.file("part.csv", b"a\n1\n");
    assert_eq!(bucket.store.put_file(&key_of("t/1.csv"), &path, Source::Move).await.unwrap(), 4);
    assert!(!path.exists());
    let link = bucket.folder.path().join("link");
    symlink("/etc/passwd", &link).unwrap();
    for path in [&link, bucket.folder.path()] {
        let refused = bucket.store.put_file(&key_of("t/2"), path, Source::Move).await.unwrap_err();
        assert!(
            matches!(&refused, BlobError::NotPlainFile { path: refused } if refused == path),
            "{refused}"
        );
    }
    assert_eq!(bucket.keys("").await, ["t/1.csv"]);
}

#[tokio::test]
async fn scratch_is_local_and_goes_with_its_owner() {
    let Some(bucket) = Bucket::new().await else { return };
    let kept = bucket.store.scratch().unwrap().keep();
    assert!(kept.starts_with(bucket.folder.path()));
    bucket.store.clear_scratch("somebody").await.unwrap();
    assert!(kept.exists());
    bucket.store.clear_scratch("test").await.unwrap();
    assert!(!kept.exists());
    assert_eq!(bucket.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_bucket_wrong_credentials_and_nobody_at_home_are_told_apart() {
    let Some(bucket) = Bucket::new().await else { return };
    let endpoint = bucket.options.endpoint.clone().unwrap();
    bucket.store.check().await.unwrap();
    let told = async |options: S3Options| {
        let bucket = Bucket::with(S3Options { patience: Duration::from_millis(50), ..options }).await;
        let checked = crate::failure::chain(&bucket.store.check().await.unwrap_err());
        let put = crate::failure::chain(&bucket.put("t/1", b"x").await.unwrap_err());
        (checked, put)
    };
    let missing = S3Options { bucket: "no-such-bucket".into(), ..bucket.options.clone() };
    let (checked, put) = told(missing).await;
    let expected = format!(
        "there is no bucket no-such-bucket at {endpoint}: make it, or correct `blobs.s3` in the settings"
    );
    assert_eq!((checked, put), (expected.clone(), expected));
    let (id, _) = bucket.options.credentials.clone().unwrap();
    let credentials = Some((id, Hidden::new("0".repeat(64))));
    let (checked, put) = told(S3Options { credentials, ..bucket.options.clone() }).await;
    for (told, what) in [(checked, "look into the blobs"), (put, "store blob t/1")] {
        let expected =
            format!("bucket longshore-test at {endpoint} does not let us {what}: check the credentials");
        assert!(told.starts_with(&expected), "{told}");
    }
    // Bound and dropped again: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (checked, put) =
        told(S3Options { endpoint: Some(format!("http://{nobody}")), ..bucket.options.clone() }).await;
    for told in [checked, put] {
        assert!(told.contains(&format!("in bucket longshore-test at http://{nobody}, tried")), "{told}");
        assert!(told.contains("the connection to the store failed"), "{told}");
    }
}
