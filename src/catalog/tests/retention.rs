use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::catalog::{At, Commit, NewFile, SliceDeletion, TableVersion};
use crate::job::VersionNumber;
use rstest::rstest;

use super::{House, On, append, key, orders, replace, rows, slice, upsert};

async fn versions(house: &House) -> Vec<u64> {
    house.catalog.history(&orders()).await.unwrap().iter().map(|line| line.version.0).collect()
}

async fn blobs(house: &House) -> BTreeSet<String> {
    house.catalog.referenced_blobs().await.unwrap().iter().map(ToString::to_string).collect()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn a_dropped_table_is_gone_with_all_versions_and_goes_on_counting(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 1)])).await;
    house.load(append(1, vec![slice("b", 1)])).await;
    let before = house.head(&orders()).await.created;
    assert!(house.catalog.drop_table(&orders()).await.unwrap());
    assert!(!house.catalog.drop_table(&orders()).await.unwrap());
    assert_eq!(house.catalog.tables().await.unwrap(), []);
    assert_eq!(versions(&house).await, Vec::<u64>::new());
    for at in [At::Head, At::Version(VersionNumber(2)), At::Time(before), At::Time(Timestamp::MAX)] {
        assert_eq!(house.catalog.table(&orders(), at).await.unwrap(), None);
    }
    assert_eq!(blobs(&house).await, named(&[]));

    let again = super::load(orders(), crate::job::LoadKind::Append, None, vec![slice("c", 1)]);
    house.load(again).await;
    let head = house.head(&orders()).await;
    assert_eq!((head.version, head.rows), (VersionNumber(3), 1));
    assert_eq!(house.catalog.history(&orders()).await.unwrap()[0].first_created, head.created);
    assert_eq!(house.catalog.table(&orders(), At::Time(before)).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn old_versions_are_forgotten_and_those_that_stay_read_the_same(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 3), slice("b", 3)])).await;
    let first = house.head(&orders()).await;
    let delete = |deleted: &[u32]| vec![SliceDeletion { slice: first.slices[0].id, deleted: rows(deleted) }];
    house.load(upsert(1, vec![slice("c", 1)], delete(&[0]))).await;
    house.load(upsert(2, vec![slice("d", 1)], delete(&[0, 1]))).await;
    let third = house.head(&orders()).await;
    house.load(replace(vec![slice("e", 1)])).await;
    let fourth = house.head(&orders()).await;

    // Version 3 was the head at its own time, so it stays; 2 had just been replaced.
    assert_eq!(house.catalog.forget_versions(third.created).await.unwrap(), 2);
    assert_eq!(versions(&house).await, [3, 4]);
    assert_eq!(blobs(&house).await, named(&["a", "b", "c", "d", "e"]));
    assert_eq!(house.lines("SELECT COUNT(*) FROM deletions").await, 1);
    let at = async |at: At| -> Option<TableVersion> { house.catalog.table(&orders(), at).await.unwrap() };
    assert_eq!(at(At::Version(VersionNumber(1))).await, None);
    assert_eq!(at(At::Time(first.created)).await, None);
    assert_eq!(at(At::Version(VersionNumber(3))).await, Some(third.clone()));
    assert_eq!(at(At::Time(third.created)).await, Some(third));

    assert_eq!(house.catalog.forget_versions(Timestamp::MAX).await.unwrap(), 1);
    assert_eq!(house.catalog.forget_versions(Timestamp::MAX).await.unwrap(), 0);
    assert_eq!(versions(&house).await, [4]);
    assert_eq!(blobs(&house).await, named(&["e"]));
    assert_eq!(house.lines("SELECT COUNT(*) FROM deletions").await, 0);
    assert_eq!(at(At::Head).await, Some(fourth));
}

#[rstest]
#[tokio::test]
async fn every_blob_that_is_needed_is_named(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let mut indexed = slice("t/1", 2);
    indexed.key_index = Some(key("k/1"));
    house.load(replace(vec![indexed])).await;
    house.load(replace(vec![slice("t/2", 2)])).await;
    let file = NewFile {
        blob: key("f/1"),
        name: "f".into(),
        bytes: 1,
        tags: vec![],
        is_permanent: false,
        is_public: false,
        is_sliced: false,
    };
    house.catalog.commit(&Commit { files: vec![file], ..Commit::default() }).await.unwrap();
    let job = house.processing_job().await;
    house.catalog.annotate(job, "{}", Some(&key("logs/1"))).await.unwrap();
    assert_eq!(blobs(&house).await, named(&["t/1", "k/1", "t/2", "f/1", "logs/1"]));
}
