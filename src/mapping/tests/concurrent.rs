//! Several publishers of one table at once.

use std::collections::BTreeSet;

use rstest::rstest;
use tokio::task::JoinSet;

use super::world::{Lies, World, full, id, incremental, keyed, upsert};
use crate::job::TableOptions;
use crate::mapping::{ProgressSink, import_table};

const WRITERS: usize = 4;
const LOADS: usize = 5;

/// Runs `WRITERS` importers at once, each with its own catalog handle; `row` gives the text of a load.
async fn race(world: &World, options: TableOptions, row: fn(usize, usize) -> String) {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (catalog, blob) = world.neighbour().await;
        let (home, options) = (world.home.path().to_owned(), options.clone());
        writers.spawn(async move {
            for load in 0..LOADS {
                let path = home.join(format!("{writer}-{load}.csv"));
                std::fs::write(&path, row(writer, load)).unwrap();
                let progress = ProgressSink::silent();
                import_table(&path, id("in.c-x.a"), options.clone(), &catalog, &blob, &progress)
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_appends_lose_and_double_nothing(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id\n", full()).await;
    race(&world, incremental(), |writer, load| format!("id\n{writer}-{load}\n")).await;
    let text = world.text("in.c-x.a").await;
    let rows: BTreeSet<&str> = text.lines().skip(1).collect();
    assert_eq!((text.lines().count() - 1, rows.len()), (WRITERS * LOADS, WRITERS * LOADS));
    assert_eq!(world.catalog.history(&id("in.c-x.a")).await.unwrap().len(), 1 + WRITERS * LOADS);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_upserts_keep_every_key_once(#[values(Lies::InADirectory, Lies::InABucket)] lies: Lies) {
    let Some(world) = World::on(lies).await else { return };
    world.import("in.c-x.a", "id,v\nshared,start\n", keyed(&["id"])).await;
    race(&world, incremental(), |writer, load| {
        format!("id,v\nshared,{writer}-{load}\nown-{writer},{load}\nonly-{writer}-{load},x\n")
    })
    .await;
    let text = world.text("in.c-x.a").await;
    let keys: Vec<&str> = text.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    let distinct: BTreeSet<&str> = keys.iter().copied().collect();
    assert_eq!(keys.len(), distinct.len(), "a key occurs twice:\n{text}");
    assert_eq!(distinct.len(), 1 + WRITERS + WRITERS * LOADS);
    for writer in 0..WRITERS {
        assert!(text.contains(&format!("own-{writer},{}\n", LOADS - 1)), "{text}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_made_by_several_at_once_has_the_rows_of_all(
    #[values(Lies::InADirectory, Lies::InABucket)] lies: Lies,
) {
    let Some(world) = World::on(lies).await else { return };
    race(&world, upsert(&["id"]), |writer, load| format!("id\n{writer}-{load}\nshared\n")).await;
    let text = world.text("in.c-x.a").await;
    let rows: BTreeSet<&str> = text.lines().skip(1).collect();
    assert_eq!((text.lines().count() - 1, rows.len()), (WRITERS * LOADS + 1, WRITERS * LOADS + 1));
}
