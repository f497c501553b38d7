use std::fs;
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::world::{Lies, World, at, full, id, incremental, input, keyed, upsert, words};
use crate::blob::Delivery;
use crate::job::{
    ChangedSince, FileId, FileOptions, FileQuery, Filter, FilterOperator, InputFile, InputMapping,
    InputTable, VersionNumber,
};
use crate::mapping::{
    DataFolder, InputsSeen, ProgressSink, StagedTable, find_files, import_file, processed_tags, stage_files,
    stage_tables,
};

async fn stage(
    world: &World,
    folder: &DataFolder,
    table: InputTable,
    delivery: Delivery,
) -> (StagedTable, String) {
    let fetch = world.plan(table).await;
    let path = at(folder, "in/tables").join(&fetch.destination);
    let staged =
        stage_tables(vec![fetch], &world.blob, folder, delivery, &ProgressSink::silent()).await.unwrap();
    (staged.into_iter().next().unwrap(), fs::read_to_string(path).unwrap())
}

#[tokio::test]
async fn a_whole_table_is_linked_where_the_component_cannot_write_it_and_copied_elsewhere() {
    let world = World::new().await;
    world.import("in.c-main.a", "id,name\n1,\"x,y\"\n2,\n", full()).await;
    let folder = world.folder().await;
    let (staged, text) = stage(&world, &folder, input("in.c-main.a", "linked"), Delivery::Link).await;
    assert_eq!(text, "id,name\n1,\"x,y\"\n2,\n");
    let expected = StagedTable {
        table: id("in.c-main.a"),
        version: VersionNumber(1),
        destination: "linked".into(),
        rows: 2,
        bytes: text.len() as u64,
    };
    assert_eq!(staged, expected);
    let (_, copy) = stage(&world, &folder, input("in.c-main.a", "copied"), Delivery::Copy).await;
    assert_eq!(copy, text);
    let links = |name: &str| fs::metadata(at(&folder, "in/tables").join(name)).unwrap().nlink();
    assert_eq!((links("linked"), links("copied")), (2, 1));
}

#[rstest]
#[tokio::test]
async fn columns_filters_and_a_limit_select_across_slices_in_order(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-main.a", "id,kind,name\n1,x,a\n2,y,b\n", full()).await;
    world.import("in.c-main.a", "id,kind,name\n3,x,c\n4,x,d\n", incremental()).await;
    let folder = world.folder().await;
    let mut table = input("in.c-main.a", "sub/selected.csv");
    table.columns = words(&["name", "id"]);
    table.filters =
        vec![Filter { column: "kind".into(), operator: FilterOperator::Eq, values: words(&["x"]) }];
    table.rows_max = Some(2);
    let (staged, text) = stage(&world, &folder, table, Delivery::Link).await;
    assert_eq!(text, "name,id\na,1\nc,3\n");
    assert_eq!((staged.rows, staged.bytes), (2, text.len() as u64));
}

#[rstest]
#[tokio::test]
async fn slices_selected_in_parallel_come_out_in_order(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-main.a", "id,v\n0,x\n", full()).await;
    for number in 1..9 {
        world.import("in.c-main.a", &format!("id,v\n{number},x\n-{number},y\n"), incremental()).await;
    }
    let folder = world.folder().await;
    let mut table = input("in.c-main.a", "sub/selected.csv");
    table.columns = words(&["id"]);
    table.filters = vec![Filter { column: "v".into(), operator: FilterOperator::Eq, values: words(&["x"]) }];
    let (staged, text) = stage(&world, &folder, table, Delivery::Copy).await;
    assert_eq!(text, "id\n0\n1\n2\n3\n4\n5\n6\n7\n8\n");
    assert_eq!((staged.rows, staged.bytes), (9, text.len() as u64));
    let beside: Vec<_> =
        fs::read_dir(folder.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["data"], "parts were left behind");
}

#[rstest]
#[tokio::test]
async fn a_later_column_is_empty_in_older_rows(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-main.a", "id\n1\n", full()).await;
    world.import("in.c-main.a", "extra,id\ne,2\n", incremental()).await;
    let folder = world.folder().await;
    let (_, text) = stage(&world, &folder, input("in.c-main.a", "a"), Delivery::Copy).await;
    assert_eq!(text, "id,extra\n1,\n2,e\n");
}

#[rstest]
#[tokio::test]
async fn only_rows_imported_since_are_staged(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-main.a", "id,v\n1,a\n2,b\n", keyed(&["id"])).await;
    world.import("in.c-main.a", "id,v\n2,c\n3,d\n", upsert(&["id"])).await;
    let second = world.head("in.c-main.a").await.created;
    let folder = world.folder().await;
    let mut table = input("in.c-main.a", "since");
    table.changed_since = Some(ChangedSince::At(second));
    assert_eq!(stage(&world, &folder, table, Delivery::Link).await.1, "id,v\n2,c\n3,d\n");
    let mut table = input("in.c-main.a", "later");
    table.changed_since = Some(ChangedSince::At(Timestamp::MAX));
    assert_eq!(stage(&world, &folder, table, Delivery::Link).await.1, "id,v\n");
}

#[tokio::test]
async fn the_manifest_says_what_components_read_in_it() {
    let world = World::new().await;
    world.import("in.c-main.a", "id,v\n1,a\n", keyed(&["id"])).await;
    let folder = world.folder().await;
    let mut table = input("in.c-main.a", "a.csv");
    table.columns = words(&["v"]);
    stage(&world, &folder, table, Delivery::Copy).await;
    let text = fs::read_to_string(at(&folder, "in/tables/a.csv.manifest")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    for date in ["created", "last_change_date", "last_import_date"] {
        let date = manifest[date].take();
        let date = date.as_str().unwrap();
        assert!(date.len() == 24 && date.ends_with("+0000"), "{date}");
    }
    assert_eq!(
        manifest,
        json!({
            "id": "in.c-main.a",
            "uri": "longshore://tables/in.c-main.a/versions/1",
            "name": "a",
            "primary_key": ["id"],
            "created": null,
            "last_change_date": null,
            "last_import_date": null,
            "columns": ["v"],
            "metadata": [],
            "column_metadata": {"v": []},
            "rows_count": 1,
            "data_size_bytes": 9,
        })
    );
}

async fn store_file(world: &World, name: &str, text: &str, tags: &[&str]) -> FileId {
    let path = world.home.path().join("to-store");
    fs::write(&path, text).unwrap();
    let options = FileOptions { tags: words(tags), is_permanent: false, is_public: false };
    let receipt = import_file(&path, name, options, &world.catalog, &world.blob).await.unwrap();
    receipt.files[0].id
}

fn files(query: FileQuery) -> InputMapping {
    let file =
        InputFile { entry: 0, query, changed_since: None, files_max: 100, processed_tags: words(&["done"]) };
    InputMapping { tables: Vec::new(), files: vec![file] }
}

#[rstest]
#[tokio::test]
async fn files_are_staged_under_id_and_name_with_a_manifest(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let first = store_file(&world, "a/b.txt", "one", &["x"]).await;
    store_file(&world, "c.txt", "two", &["x", "not"]).await;
    let query = FileQuery::Tags { include: words(&["x"]), exclude: words(&["not"]) };
    let (found, complaints) =
        find_files(&files(query), &InputsSeen::default(), &world.catalog).await.unwrap();
    assert_eq!(complaints, []);
    let seen = InputsSeen::default().after(&[], &found);
    let mut adaptive = files(found[0].query.clone());
    adaptive.files[0].changed_since = Some(ChangedSince::LastRun);
    let (newer, _) = find_files(&adaptive, &seen, &world.catalog).await.unwrap();
    assert_eq!(newer[0].files, []);
    // A query without a match keeps what it had seen.
    assert_eq!(seen.after(&[], &newer), seen);
    assert_eq!(processed_tags(&found), [(first, words(&["done"]))]);
    let folder = world.folder().await;
    let staged =
        stage_files(&found, &world.blob, &folder, Delivery::Copy, &ProgressSink::silent()).await.unwrap();
    let name = format!("{first}_a_b.txt");
    assert_eq!((staged.len(), &staged[0].name), (1, &name));
    assert_eq!(fs::read_to_string(at(&folder, "in/files").join(&name)).unwrap(), "one");
    let manifest = fs::read_to_string(at(&folder, "in/files").join(format!("{name}.manifest"))).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(
        (&manifest["id"], &manifest["name"], &manifest["size_bytes"]),
        (&json!(first.0), &json!("a/b.txt"), &json!(3))
    );
    assert_eq!(manifest["tags"], json!(["x"]));
}

#[rstest]
#[tokio::test]
async fn a_file_asked_for_by_an_unknown_id_is_told(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let query = FileQuery::Ids(vec![FileId(99)]);
    let (_, complaints) = find_files(&files(query), &InputsSeen::default(), &world.catalog).await.unwrap();
    assert_eq!(complaints.len(), 1);
    assert_eq!(complaints[0].path, "storage.input.files[0].file_ids[0]");
    assert_eq!(complaints[0].message, "file 99 does not exist");
}
