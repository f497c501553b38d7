use std::fs;

use jiff::Timestamp;
use rstest::rstest;

use super::world::{
    Lies, World, at, clean, full, id, incremental, keyed, mapped, output, upsert, words, write,
};
use crate::job::{
    AttemptNumber, DeleteWhere, Filter, FilterOperator, LoadKind, TableOptions, TableReceipt, VersionNumber,
};
use crate::mapping::{Origin, ProgressSink, Publication, PublishError, collect, commit, discard, upload};

fn deleting(column: &str, value: &str) -> Vec<DeleteWhere> {
    let filter = Filter { column: column.into(), operator: FilterOperator::Eq, values: words(&[value]) };
    vec![DeleteWhere { changed_since: None, changed_until: None, filters: vec![filter] }]
}

#[rstest]
#[tokio::test]
async fn a_full_load_replaces_and_the_last_row_of_a_key_wins(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,v\n1,old\n", keyed(&["id"])).await;
    let receipt = world.import("in.c-x.a", "id,v\n1,a\n2,b\n\"1\",c\n", full()).await;
    assert_eq!(
        receipt.tables,
        [TableReceipt {
            table: id("in.c-x.a"),
            version: VersionNumber(2),
            load: LoadKind::Replace,
            rows_loaded: 2,
            // A replaced table loses its slices, not single rows.
            rows_deleted: 0,
            rows_total: 2,
            bytes_loaded: receipt.tables[0].bytes_loaded,
        }]
    );
    assert_eq!(world.text("in.c-x.a").await, "id,v\n2,b\n\"1\",c\n");
}

#[rstest]
#[tokio::test]
async fn an_append_adds_and_an_upsert_replaces_rows_of_the_same_key(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.plain", "id,v\n1,a\n", full()).await;
    world.import("in.c-x.plain", "id,v\n1,a\n", incremental()).await;
    assert_eq!(world.text("in.c-x.plain").await, "id,v\n1,a\n1,a\n");
    world.import("in.c-x.keyed", "id,v\n1,a\n2,b\n", keyed(&["id"])).await;
    let receipt = world.import("in.c-x.keyed", "v,id\nc,2\nd,3\ne,3\n", incremental()).await;
    assert_eq!(world.text("in.c-x.keyed").await, "id,v\n1,a\n2,c\n3,e\n");
    let table = &receipt.tables[0];
    assert_eq!(
        (table.load, table.rows_loaded, table.rows_deleted, table.rows_total),
        (LoadKind::Upsert, 2, 1, 3)
    );
}

#[rstest]
#[tokio::test]
async fn old_versions_stay_as_they_were(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,v\n1,a\n2,b\n", keyed(&["id"])).await;
    let first = world.head("in.c-x.a").await;
    world.import("in.c-x.a", "id,v\n2,c\n", incremental()).await;
    assert_eq!(world.text_of(first).await, "id,v\n1,a\n2,b\n");
}

#[rstest]
#[tokio::test]
async fn rows_are_deleted_before_the_load(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,day\n1,mon\n2,tue\n", full()).await;
    let options = TableOptions { delete_where: Some(deleting("day", "mon")), ..incremental() };
    let receipt = world.import("in.c-x.a", "id,day\n3,mon\n", options).await;
    assert_eq!(world.text("in.c-x.a").await, "id,day\n2,tue\n3,mon\n");
    assert_eq!((receipt.tables[0].rows_deleted, receipt.tables[0].rows_total), (1, 2));
    // A table that is not there yet has nothing to delete.
    let options = TableOptions { delete_where: Some(deleting("anything", "x")), ..incremental() };
    world.import("in.c-x.fresh", "id\n1\n", options.clone()).await;
    let told = world.try_import("in.c-x.a", "id,day\n4,wed\n", options).await.unwrap_err();
    assert_eq!(
        told.to_string(),
        "delete_where asks for column \"anything\", which is not in table in.c-x.a: it has \"id\", \"day\""
    );
}

#[rstest]
#[tokio::test]
async fn deletions_can_be_bounded_by_the_time_rows_were_imported(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id\n1\n", full()).await;
    world.import("in.c-x.a", "id\n2\n", incremental()).await;
    let second = world.head("in.c-x.a").await.created;
    let until = |since: Option<Timestamp>, until: Option<Timestamp>| TableOptions {
        delete_where: Some(vec![DeleteWhere {
            changed_since: since,
            changed_until: until,
            filters: Vec::new(),
        }]),
        ..incremental()
    };
    world.import("in.c-x.a", "id\n3\n", until(None, Some(second))).await;
    assert_eq!(world.text("in.c-x.a").await, "id\n2\n3\n");
    let third = world.head("in.c-x.a").await.created;
    world.import("in.c-x.a", "id\n4\n", until(Some(third), None)).await;
    assert_eq!(world.text("in.c-x.a").await, "id\n2\n4\n");
}

#[rstest]
#[tokio::test]
async fn columns_may_come_but_not_go(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,v\n1,a\n", full()).await;
    let told = world.try_import("in.c-x.a", "id,w\n2,b\n", incremental()).await.unwrap_err().to_string();
    assert!(
        told.ends_with(
            " lacks \"v\" of table in.c-x.a: write all columns of the table, in any order, or drop it first"
        ),
        "{told}"
    );
    world.import("in.c-x.a", "w,v,id\nx,b,2\n", incremental()).await;
    assert_eq!(world.text("in.c-x.a").await, "id,v,w\n1,a,\n2,b,x\n");
}

#[rstest]
#[tokio::test]
async fn a_key_needs_its_columns(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    let told =
        world.try_import("in.c-x.a", "id,v\n1,a\n", keyed(&["id", "day"])).await.unwrap_err().to_string();
    assert!(told.ends_with(" lacks \"day\" of the primary key of table in.c-x.a"), "{told}");
}

#[rstest]
#[tokio::test]
async fn a_key_changes_only_with_permission_and_without_duplicates(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,day,v\n1,mon,a\n2,mon,b\n2,tue,c\n", keyed(&["id", "day"])).await;
    let told = world.try_import("in.c-x.a", "id,day,v\n9,wed,z\n", upsert(&["id"])).await.unwrap_err();
    assert_eq!(
        told.to_string(),
        "primary key \"id\" differs from that of table in.c-x.a, \"id\", \"day\": allow the change by \
         primary_key_change: true in the mapping, or --change-primary-key of an import"
    );
    let allowed = |key: &[&str]| TableOptions { primary_key_change: Some(true), ..upsert(key) };
    let told = world.try_import("in.c-x.a", "id,day,v\n9,wed,z\n", allowed(&["id"])).await.unwrap_err();
    assert_eq!(
        told.to_string(),
        "table in.c-x.a has 1 rows whose \"id\" occurs again: they cannot get that primary key"
    );
    world.import("in.c-x.a", "id,day,v\n1,wed,z\n", allowed(&["v"])).await;
    assert_eq!(world.head("in.c-x.a").await.primary_key, ["v"]);
    world.import("in.c-x.a", "id,day,v\n7,sun,a\n", incremental()).await;
    assert_eq!(world.text("in.c-x.a").await, "id,day,v\n2,mon,b\n2,tue,c\n1,wed,z\n7,sun,a\n");
}

#[rstest]
#[tokio::test]
async fn rows_that_are_deleted_do_not_stand_in_the_way_of_a_key(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,v\n1,a\n1,b\n2,c\n", full()).await;
    let options = TableOptions { delete_where: Some(deleting("v", "a")), ..incremental() };
    world.import("in.c-x.a", "id,v\n3,d\n", options).await;
    let allowed = TableOptions { primary_key_change: Some(true), ..upsert(&["id"]) };
    world.import("in.c-x.a", "id,v\n1,e\n", allowed).await;
    assert_eq!(world.text("in.c-x.a").await, "id,v\n2,c\n3,d\n1,e\n");
}

#[rstest]
#[tokio::test]
async fn a_malformed_output_is_refused_with_its_place_and_leaves_nothing(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id,v\n1,a\n2\n");
    write(&folder, "out/tables/b.csv", "id,id\n1,a\n");
    write(&folder, "out/tables/good.csv", "id\n1\n");
    let mapping = mapped(vec![
        output("a.csv", "in.c-x.a", full()),
        output("b.csv", "in.c-x.b", full()),
        output("good.csv", "in.c-x.good", full()),
    ]);
    let told = world.publish(&folder, &mapping).await.unwrap_err();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines[0].starts_with("table in.c-x.a: out/tables/a.csv: record 2 (line 3,"), "{told}");
    assert!(lines[1].starts_with("table in.c-x.b: out/tables/b.csv: header"), "{told}");
    assert_eq!(world.catalog.tables().await.unwrap(), []);
    assert_eq!(world.blobs().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_canonical_output_moves_into_the_store_and_a_foreign_one_is_rewritten() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/canonical.csv", "id,v\n1,\"a\"\n");
    write(&folder, "out/tables/foreign.csv", "\u{feff}id,v\r\n1,\"a\"\r\n");
    let mapping = mapped(vec![
        output("canonical.csv", "in.c-x.canonical", full()),
        output("foreign.csv", "in.c-x.foreign", full()),
    ]);
    world.publish(&folder, &mapping).await.unwrap();
    assert!(!at(&folder, "out/tables/canonical.csv").exists());
    assert_eq!(world.text("in.c-x.canonical").await, "id,v\n1,\"a\"\n");
    assert_eq!(world.text("in.c-x.foreign").await, "id,v\n1,\"a\"\n");
}

#[rstest]
#[tokio::test]
async fn outputs_that_could_not_be_published_are_put_back(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id\n1\n1\n", full()).await;
    let before = world.blobs().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id\n2\n");
    write(&folder, "out/files/a.txt", "text");
    let options = TableOptions { primary_key_change: Some(true), ..upsert(&["id"]) };
    let told = world.publish(&folder, &mapped(vec![output("a.csv", "in.c-x.a", options)])).await.unwrap_err();
    assert!(told.starts_with("table in.c-x.a has 1 rows whose \"id\" occurs again"), "{told}");
    assert_eq!(fs::read_to_string(at(&folder, "out/tables/a.csv")).unwrap(), "id\n2\n");
    assert_eq!(fs::read_to_string(at(&folder, "out/files/a.txt")).unwrap(), "text");
    assert_eq!(world.blobs().await, before);
}

#[rstest]
#[tokio::test]
async fn an_imported_file_stays_where_it_is(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    let path = world.home.path().join("mine.csv");
    fs::write(&path, "id\n1\n").unwrap();
    let progress = ProgressSink::silent();
    crate::mapping::import_table(&path, id("in.c-x.a"), full(), &world.catalog, &world.blob, &progress)
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "id\n1\n");
}

#[rstest]
#[tokio::test]
async fn an_attempt_that_lost_its_lease_publishes_and_leaves_nothing(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let (job, attempt) = world.attempt().await;
    let folder = world.folder().await;
    let mapping = mapped(vec![output("a.csv", "in.c-x.a", full())]);
    let progress = ProgressSink::silent();
    for (attempt, is_ours) in [(AttemptNumber(attempt.0 + 1), false), (attempt, true)] {
        write(&folder, "out/tables/a.csv", "id\n1\n");
        let collected = collect(&mapping, &folder, &clean()).await.unwrap();
        let origin = Origin::Attempt(job, attempt);
        let prepared = upload(collected, origin, &[], &world.catalog, &world.blob, &progress).await.unwrap();
        let committed = commit(prepared, Publication::default(), &world.catalog, &world.blob).await;
        match committed {
            Ok(receipt) => assert!(is_ours, "published {receipt:?}"),
            Err(PublishError::FenceLost { .. }) => {
                assert!(!is_ours);
                assert_eq!(world.blobs().await, Vec::<String>::new());
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(world.head("in.c-x.a").await.job, Some(job));
}

#[rstest]
#[tokio::test]
async fn discarding_an_attempt_keeps_what_it_committed(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let (job, attempt) = world.attempt().await;
    let folder = world.folder().await;
    let progress = ProgressSink::silent();
    let mut uploads = Vec::new();
    for table in ["in.c-x.first", "in.c-x.second"] {
        write(&folder, "out/tables/a.csv", "id\n1\n");
        let mapping = mapped(vec![output("a.csv", table, keyed(&["id"]))]);
        let collected = collect(&mapping, &folder, &clean()).await.unwrap();
        let origin = Origin::Attempt(job, attempt);
        uploads.push(upload(collected, origin, &[], &world.catalog, &world.blob, &progress).await.unwrap());
    }
    commit(uploads.remove(0), Publication::default(), &world.catalog, &world.blob).await.unwrap();
    assert_eq!(world.blobs().await.len(), 4);
    discard(job, attempt, &world.blob, &world.catalog).await.unwrap();
    assert_eq!(world.blobs().await.len(), 2);
    assert_eq!(world.text("in.c-x.first").await, "id\n1\n");
}
