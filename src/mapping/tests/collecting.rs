use rstest::rstest;
use std::fs;

use super::world::{Lies, World, at, clean, full, id, keyed, mapped, output, words, write};
use crate::job::{BadExit, FileOptions, LoadKind, OutputFile, OutputMapping, OutputTable, TableOptions};
use crate::mapping::{DataFolder, collect, collect_despite};

async fn complaints(folder: &DataFolder, mapping: &OutputMapping) -> Vec<String> {
    let refused = collect(mapping, folder, &clean()).await.unwrap_err();
    refused.iter().map(ToString::to_string).collect()
}

fn in_bucket(bucket: &str) -> OutputMapping {
    OutputMapping { default_bucket: Some(bucket.into()), ..OutputMapping::default() }
}

#[tokio::test]
async fn outputs_find_their_tables_by_mapping_manifest_and_name() {
    let world = World::new().await;
    let folder = world.folder().await;
    for name in ["a.csv", "b.csv", "c.csv", "in.c-x.d.csv"] {
        write(&folder, &format!("out/tables/{name}"), "id\n1\n");
    }
    write(&folder, "out/tables/b.csv.manifest", r#"{"destination": "out.c-x.bb", "incremental": true}"#);
    write(&folder, "out/tables/.hidden", "not looked at");
    let mapping =
        OutputMapping { tables: vec![output("a.csv", "in.c-x.aa", full())], ..in_bucket("in.c-def") };
    let collected = collect(&mapping, &folder, &clean()).await.unwrap();
    let tables: Vec<String> = collected.tables.iter().map(|table| table.table.to_string()).collect();
    assert_eq!(tables, ["in.c-x.aa", "out.c-x.bb", "in.c-def.c", "in.c-x.d"]);
    let receipt = world.publish_collected(collected).await.unwrap();
    assert_eq!(receipt.tables[1].load, LoadKind::Append);
    assert_eq!(world.text("out.c-x.bb").await, "id\n1\n");
}

#[tokio::test]
async fn the_mapping_wins_where_it_speaks_and_the_manifest_elsewhere() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id;v\n1;x\n");
    write(
        &folder,
        "out/tables/a.csv.manifest",
        r#"{"incremental": true, "primary_key": ["id"], "delimiter": ";"}"#,
    );
    let options = TableOptions { incremental: Some(false), ..TableOptions::default() };
    let receipt = world.publish(&folder, &mapped(vec![output("a.csv", "in.c-x.a", options)])).await.unwrap();
    assert_eq!(receipt.tables[0].load, LoadKind::Replace);
    assert_eq!(world.head("in.c-x.a").await.primary_key, ["id"]);
    assert_eq!(world.text("in.c-x.a").await, "id,v\n1,x\n");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_together() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/empty.csv", "");
    write(&folder, "out/tables/lonely.csv.manifest", "{}");
    write(&folder, "out/tables/bad.csv", "id\n1\n");
    write(&folder, "out/tables/bad.csv.manifest", r#"{"incremental": "perhaps"}"#);
    write(&folder, "out/tables/nowhere.csv", "id\n1\n");
    fs::create_dir(at(&folder, "out/tables/sliced")).unwrap();
    write(&folder, "out/files/alone.txt.manifest", "{}");
    let mapping = OutputMapping {
        tables: vec![
            output("empty.csv", "in.c-x.empty", full()),
            output("missing.csv", "in.c-x.missing", full()),
        ],
        files: vec![OutputFile { source: "missing.txt".into(), options: FileOptions::default() }],
        ..OutputMapping::default()
    };
    let told = complaints(&folder, &mapping).await;
    assert_eq!(told.len(), 8, "{told:#?}");
    assert_eq!(told[0], "out/tables/lonely.csv.manifest has no lonely.csv beside it");
    assert_eq!(told[1], "out/tables/missing.csv is mapped, but the component did not write it");
    assert!(told[2].starts_with("out/tables/bad.csv.manifest:1:"), "{}", told[2]);
    assert_eq!(
        told[3],
        "out/tables/empty.csv is empty, so its columns are unknown: write a header line, or name the columns in the \
         mapping or the manifest"
    );
    assert!(told[4].starts_with("out/tables/nowhere.csv has no destination"), "{}", told[4]);
    assert!(told[5].starts_with("out/tables/sliced is a sliced table"), "{}", told[5]);
    assert_eq!(told[6], "out/files/alone.txt.manifest has no alone.txt beside it");
    assert_eq!(told[7], "out/files/missing.txt is mapped, but the component did not write it");
}

#[tokio::test]
async fn two_outputs_of_one_table_are_refused() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id\n1\n");
    write(&folder, "out/tables/in.c-x.a", "id\n1\n");
    let mapping = mapped(vec![output("a.csv", "in.c-x.a", full())]);
    assert_eq!(
        complaints(&folder, &mapping).await,
        ["in.c-x.a is written twice: by out/tables/a.csv and by out/tables/in.c-x.a"]
    );
}

#[rstest]
#[tokio::test]
async fn one_output_may_become_two_tables(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "id\n1\n");
    let mapping =
        mapped(vec![output("a.csv", "in.c-x.one", full()), output("a.csv", "in.c-x.two", keyed(&["id"]))]);
    world.publish(&folder, &mapping).await.unwrap();
    assert_eq!(
        (world.text("in.c-x.one").await, world.text("in.c-x.two").await),
        ("id\n1\n".into(), "id\n1\n".into())
    );
}

#[rstest]
#[tokio::test]
async fn headless_and_sliced_outputs_get_the_columns_that_are_said(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let folder = world.folder().await;
    let columns = TableOptions { columns: Some(words(&["id", "v"])), ..TableOptions::default() };
    write(&folder, "out/tables/headless.csv", "1,a\n2,b");
    write(&folder, "out/tables/renamed.csv", "x,y\n1,a\n");
    write(&folder, "out/tables/none.csv", "");
    fs::create_dir(at(&folder, "out/tables/sliced")).unwrap();
    write(&folder, "out/tables/sliced/part2", "3,c\n");
    write(&folder, "out/tables/sliced/part1", "1,a\n2,b\n");
    write(&folder, "out/tables/sliced/part3", "");
    write(&folder, "out/tables/sliced.manifest", r#"{"columns": ["id", "v"]}"#);
    let renamed = TableOptions { has_header: Some(true), ..columns.clone() };
    let mapping = mapped(vec![
        output("headless.csv", "in.c-x.headless", columns.clone()),
        output("renamed.csv", "in.c-x.renamed", renamed),
        output("none.csv", "in.c-x.none", columns),
        output("sliced", "in.c-x.sliced", full()),
    ]);
    world.publish(&folder, &mapping).await.unwrap();
    assert_eq!(world.text("in.c-x.headless").await, "id,v\n1,a\n2,b\n");
    assert_eq!(world.text("in.c-x.renamed").await, "id,v\n1,a\n");
    assert_eq!(world.text("in.c-x.none").await, "id,v\n");
    assert_eq!(world.text("in.c-x.sliced").await, "id,v\n1,a\n2,b\n3,c\n");
}

#[rstest]
#[tokio::test]
async fn output_files_keep_names_tags_and_the_mappings_whole_word(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    let folder = world.folder().await;
    write(&folder, "out/files/a.txt", "one");
    write(&folder, "out/files/a.txt.manifest", r#"{"tags": ["m"], "is_permanent": true}"#);
    write(&folder, "out/files/b.txt", "two");
    write(&folder, "out/files/b.txt.manifest", r#"{"tags": ["m"], "is_permanent": true}"#);
    fs::create_dir(at(&folder, "out/files/folder")).unwrap();
    let mapping = OutputMapping {
        files: vec![OutputFile {
            source: "b.txt".into(),
            options: FileOptions { tags: words(&["c"]), is_permanent: false, is_public: false },
        }],
        ..OutputMapping::default()
    };
    let collected = collect(&mapping, &folder, &clean()).await.unwrap();
    assert_eq!(collected.notices, ["out/files/folder is a folder and was not kept"]);
    let receipt = world.publish_collected(collected).await.unwrap();
    let mut kept = Vec::new();
    for file in &receipt.files {
        let stored = world.catalog.file(file.id).await.unwrap().unwrap();
        kept.push((stored.name, stored.tags, stored.is_permanent, stored.bytes));
    }
    assert_eq!(kept, [("a.txt".into(), words(&["m"]), true, 3), ("b.txt".into(), words(&["c"]), false, 3)]);
}

#[tokio::test]
async fn a_failed_component_publishes_only_what_is_always_written() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/always.csv", "id\n1\n");
    write(&folder, "out/tables/always.csv.manifest", r#"{"write_always": true}"#);
    write(&folder, "out/tables/usual.csv", "id\n1\n");
    write(&folder, "out/tables/nowhere.csv.manifest", "{}");
    write(&folder, "out/files/file.txt", "x");
    let mapping = mapped(vec![
        output("always.csv", "in.c-x.always", full()),
        output("usual.csv", "in.c-x.always", full()),
        output("missing.csv", "in.c-x.missing", TableOptions { write_always: Some(true), ..full() }),
    ]);
    let collected = collect_despite(&mapping, &folder, &BadExit::Code(1)).await;
    let tables: Vec<_> = collected.tables.iter().map(|table| table.table.clone()).collect();
    assert_eq!((tables, collected.files.len()), (vec![id("in.c-x.always")], 0));
}

#[tokio::test]
async fn column_names_are_kept_as_written_unless_told_otherwise() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/tables/a.csv", "Order ID,příliš\n1,x\n");
    write(&folder, "out/tables/b.csv", "Order ID,příliš\n1,x\n");
    let asked = |source: &str, table: &str, sanitize_column_names| OutputMapping {
        tables: vec![OutputTable {
            entry: 0,
            source: source.into(),
            destination: Some(id(table)),
            options: keyed(&["Order ID"]),
        }],
        sanitize_column_names,
        default_bucket: Some("in.c-rest".into()),
        files: Vec::new(),
        ..OutputMapping::default()
    };
    world.publish(&folder, &asked("a.csv", "in.c-x.kept", false)).await.unwrap();
    assert_eq!(world.text("in.c-x.kept").await, "Order ID,příliš\n1,x\n");
    write(&folder, "out/tables/b.csv", "Order ID,příliš\n1,x\n");
    world.publish(&folder, &asked("b.csv", "in.c-x.plain", true)).await.unwrap();
    assert_eq!(world.text("in.c-x.plain").await, "Order_ID,prilis\n1,x\n");
    assert_eq!(world.head("in.c-x.plain").await.primary_key, ["Order_ID"]);
}
