//! Several handles on one file, as several processes have them.

use roaring::RoaringBitmap;
use tokio::task::JoinSet;

use crate::catalog::{At, Catalog, CommitError, SliceDeletion};
use crate::job::{LoadKind, TableId, VersionNumber};
use rstest::rstest;

use super::{House, On, append, customers, load, of_tables, orders, replace, slice, upsert};

const WRITERS: u64 = 4;
const ROUNDS: u64 = 12;

/// Computes against the head and commits, again and again until the head held still.
async fn rebase(
    catalog: &Catalog,
    compute: impl Fn(u64, &[crate::catalog::Slice]) -> crate::catalog::TableLoad,
) {
    loop {
        let head = catalog.table(&orders(), At::Head).await.unwrap().unwrap();
        let load = compute(head.version.0, &head.slices);
        match catalog.commit(&of_tables(vec![load])).await {
            Ok(_) => return,
            Err(CommitError::HeadMoved { .. }) => {}
            Err(error @ (CommitError::FenceLost { .. } | CommitError::Catalog(_))) => panic!("{error:?}"),
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_from_everywhere_are_all_there_and_none_twice(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![])).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let catalog = house.beside().await;
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let blob = format!("t/{writer}-{round}");
                rebase(&catalog, |version, _| append(version, vec![slice(&blob, 1)])).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let head = house.head(&orders()).await;
    assert_eq!((head.rows, head.version), (WRITERS * ROUNDS, VersionNumber(1 + WRITERS * ROUNDS)));
    let mut blobs: Vec<_> = head.slices.iter().map(|slice| slice.blob.to_string()).collect();
    blobs.sort_unstable();
    blobs.dedup();
    assert_eq!(blobs.len(), head.slices.len());
    let mut created: Vec<_> =
        house.catalog.history(&orders()).await.unwrap().iter().map(|line| line.created).collect();
    assert!(created.is_sorted());
    created.dedup();
    assert_eq!(created.len() as u64, head.version.0);
}

/// Each upsert replaces the one row of its writer: whatever the order, one row a writer is left.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upserts_from_everywhere_leave_one_row_of_each_key(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![])).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let catalog = house.beside().await;
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let prefix = format!("t/{writer}-");
                let blob = format!("{prefix}{round}");
                rebase(&catalog, |version, slices| {
                    // Two rows each: the key's own, and one that its next upsert leaves.
                    let of_mine = slices.iter().filter(|slice| slice.blob.as_str().starts_with(&prefix));
                    let deletions = of_mine
                        .filter(|slice| slice.deleted.is_empty())
                        .map(|slice| SliceDeletion { slice: slice.id, deleted: RoaringBitmap::from([0]) })
                        .collect();
                    upsert(version, vec![slice(&blob, 2)], deletions)
                })
                .await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let head = house.head(&orders()).await;
    let untouched = head.slices.iter().filter(|slice| slice.deleted.is_empty()).count();
    assert_eq!((untouched as u64, head.rows), (WRITERS, WRITERS * (ROUNDS + 1)));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_all_of_a_commit_or_nothing(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let writer = house.beside().await;
    let both: [TableId; 2] = [orders(), customers()];
    let mut writing = JoinSet::new();
    writing.spawn({
        let both = both.clone();
        async move {
            for round in 1..=40_u64 {
                let loads =
                    both.clone().map(|table| load(table, LoadKind::Replace, None, vec![slice("a", round)]));
                writer.commit(&of_tables(loads.into())).await.unwrap();
            }
        }
    });
    let mut last = 0;
    while last < 40 {
        let seen = house.catalog.snapshot(&both).await.unwrap();
        let seen: Vec<_> = seen
            .iter()
            .map(|table| table.as_ref().map(|table| (table.version.0, table.rows, table.slices[0].rows)))
            .collect();
        assert_eq!(seen[0], seen[1]);
        if let Some((version, rows, rows_in_slice)) = seen[0] {
            assert_eq!((rows, rows_in_slice), (version, version));
            assert!(version >= last, "the head went back");
            last = version;
        }
        tokio::task::yield_now().await;
    }
    writing.join_next().await.unwrap().unwrap();
}
