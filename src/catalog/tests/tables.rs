use jiff::Timestamp;

use crate::catalog::{At, Slice, SliceDeletion, SliceId, TableLoad, TableSummary, TableVersion};
use crate::job::{LoadKind, VersionNumber};
use rstest::rstest;

use super::{House, On, append, customers, key, load, orders, replace, rows, slice, texts, upsert};

#[rstest]
#[tokio::test]
async fn a_table_reads_back_whole(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let mut first = slice("t/a", 3);
    first.key_index = Some(key("k/a"));
    first.deleted = rows(&[1]);
    house.load(replace(vec![first, slice("t/b", 2)])).await;
    let head = house.head(&orders()).await;
    let plain = |id: u64, blob: &str, rows_in_file: u64| Slice {
        id: SliceId(id),
        blob: key(blob),
        key_index: None,
        columns: texts(&["id", "name"]),
        rows: rows_in_file,
        bytes: rows_in_file * 10,
        checksum: u128::MAX - u128::from(rows_in_file),
        imported: head.created,
        deleted: rows(&[]),
    };
    let expected = TableVersion {
        table: orders(),
        version: VersionNumber(1),
        created: head.created,
        columns: texts(&["id", "name"]),
        primary_key: texts(&["id"]),
        rows: 4,
        bytes: 50,
        load: LoadKind::Replace,
        job: None,
        slices: vec![
            Slice { key_index: Some(key("k/a")), deleted: rows(&[1]), ..plain(1, "t/a", 3) },
            plain(2, "t/b", 2),
        ],
    };
    assert_eq!(head, expected);
}

#[rstest]
#[tokio::test]
async fn odd_column_names_come_back_as_they_were(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let columns = texts(&["a \"quoted\", one", "ž\n", "", "[]", "\u{1F6A2}"]);
    let made = TableLoad { columns: columns.clone(), primary_key: columns.clone(), ..replace(vec![]) };
    house.load(made).await;
    let head = house.head(&orders()).await;
    assert_eq!((head.columns, head.primary_key), (columns.clone(), columns));
}

#[rstest]
#[tokio::test]
async fn an_upsert_changes_bitmaps_and_never_an_old_version(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 3), slice("b", 2)])).await;
    let first = house.head(&orders()).await;
    let deletion = SliceDeletion { slice: first.slices[0].id, deleted: rows(&[0, 2]) };
    let receipt = house.load(upsert(1, vec![slice("c", 4)], vec![deletion])).await;
    let loaded = &receipt.tables[0];
    assert_eq!(
        (loaded.rows_loaded, loaded.rows_deleted, loaded.rows_total, loaded.bytes_loaded),
        (4, 2, 7, 40)
    );
    let second = house.head(&orders()).await;
    assert_eq!((second.rows, second.bytes), (7, 90));
    assert_eq!(second.slices[0], Slice { deleted: rows(&[0, 2]), ..first.slices[0].clone() });
    assert_eq!(second.slices[1], first.slices[1]);
    assert_eq!((second.slices[2].blob.as_str(), second.slices[2].imported), ("c", second.created));
    let old = house.catalog.table(&orders(), At::Version(VersionNumber(1))).await.unwrap();
    assert_eq!(old, Some(first));
}

#[rstest]
#[tokio::test]
async fn a_slice_whose_rows_are_all_deleted_leaves_the_next_version(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 2), slice("b", 2)])).await;
    let first = house.head(&orders()).await;
    let deletion = SliceDeletion { slice: first.slices[0].id, deleted: rows(&[0, 1]) };
    house.load(upsert(1, vec![], vec![deletion])).await;
    let second = house.head(&orders()).await;
    assert_eq!((second.rows, second.bytes, second.slices), (2, 20, first.slices[1..].to_vec()));
}

#[rstest]
#[tokio::test]
async fn an_append_to_a_table_of_ten_thousand_slices_writes_a_few_lines(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let many = (0..10_000).map(|number| slice(&format!("t/{number}"), 1)).collect();
    house.load(replace(many)).await;
    let everything = "SELECT (SELECT COUNT(*) FROM tables) + (SELECT COUNT(*) FROM versions)
        + (SELECT COUNT(*) FROM slices) + (SELECT COUNT(*) FROM deletions)";
    let before = house.lines(everything).await;
    house.load(append(1, vec![slice("t/new", 1)])).await;
    assert_eq!(house.lines(everything).await, before + 2);
    let head = house.head(&orders()).await;
    assert_eq!((head.slices.len(), head.rows, head.version), (10_001, 10_001, VersionNumber(2)));
    assert_eq!(head.slices[10_000].blob, key("t/new"));
}

#[rstest]
#[tokio::test]
async fn a_moment_means_the_version_that_was_head(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let mut created = Vec::new();
    for number in 1..=3_u64 {
        house.load(replace(vec![slice("a", number)])).await;
        created.push(house.head(&orders()).await.created);
    }
    let microsecond = jiff::SignedDuration::from_micros(1);
    let version_at = async |moment: Timestamp| {
        house
            .catalog
            .table(&orders(), At::Time(moment))
            .await
            .unwrap()
            .map(|table| (table.version.0, table.rows))
    };
    assert_eq!(version_at(created[0] - microsecond).await, None);
    assert_eq!(version_at(created[0]).await, Some((1, 1)));
    assert_eq!(version_at(created[1] - microsecond).await, Some((1, 1)));
    assert_eq!(version_at(created[1]).await, Some((2, 2)));
    assert_eq!(version_at(Timestamp::MAX).await, Some((3, 3)));
    assert_eq!(version_at(Timestamp::MIN).await, None);
}

#[rstest]
#[tokio::test]
async fn what_is_not_there_is_nothing(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![])).await;
    for at in
        [At::Version(VersionNumber(0)), At::Version(VersionNumber(2)), At::Version(VersionNumber(u64::MAX))]
    {
        assert_eq!(house.catalog.table(&orders(), at).await.unwrap(), None);
    }
    assert_eq!(house.catalog.table(&customers(), At::Head).await.unwrap(), None);
    assert_eq!(house.catalog.history(&customers()).await.unwrap(), []);
    let snapshot = house.catalog.snapshot(&[customers(), orders()]).await.unwrap();
    assert_eq!(snapshot, [None, Some(house.head(&orders()).await)]);
}

#[rstest]
#[tokio::test]
async fn the_list_tells_heads_and_the_history_tells_versions(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 2)])).await;
    let first = house.head(&orders()).await;
    house.load(append(1, vec![slice("b", 3)])).await;
    let second = house.head(&orders()).await;
    house.load(load(customers(), LoadKind::Replace, None, vec![])).await;
    let line = |version: &TableVersion| TableSummary {
        table: version.table.clone(),
        version: version.version,
        first_created: first.created,
        created: version.created,
        columns: version.columns.clone(),
        primary_key: version.primary_key.clone(),
        rows: version.rows,
        bytes: version.bytes,
        load: version.load,
        job: None,
    };
    assert_eq!(house.catalog.history(&orders()).await.unwrap(), [line(&first), line(&second)]);
    let customers = house.head(&customers()).await;
    let expected = [TableSummary { first_created: customers.created, ..line(&customers) }, line(&second)];
    assert_eq!(house.catalog.tables().await.unwrap(), expected);
}

#[rstest]
#[tokio::test]
async fn key_indexes_are_added_later_and_are_always_of_the_heads_key(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let keyless = TableLoad { primary_key: vec![], ..replace(vec![slice("a", 1), slice("b", 1)]) };
    house.load(keyless).await;
    let ids: Vec<_> = house.head(&orders()).await.slices.iter().map(|slice| slice.id).collect();
    let keyed = TableLoad { rekeyed: vec![(ids[0], key("k/a")), (ids[1], key("k/b"))], ..append(1, vec![]) };
    house.load(keyed).await;
    let indexes = async || -> Vec<_> {
        house.head(&orders()).await.slices.into_iter().map(|slice| slice.key_index).collect()
    };
    assert_eq!(indexes().await, [Some(key("k/a")), Some(key("k/b"))]);
    house.load(append(2, vec![])).await;
    assert_eq!(indexes().await, [Some(key("k/a")), Some(key("k/b"))]);
    let other_key = TableLoad {
        primary_key: texts(&["name"]),
        rekeyed: vec![(ids[1], key("k/b2"))],
        ..append(3, vec![])
    };
    house.load(other_key).await;
    assert_eq!(indexes().await, [None, Some(key("k/b2"))]);
}
