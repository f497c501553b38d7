//! Random histories of a table against the plainest model: a version is the list of its rows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roaring::RoaringBitmap;

use crate::catalog::{At, Catalog, SliceDeletion, TableVersion};
use crate::job::{LoadKind, VersionNumber};

use super::{House, load, of_tables, orders, slice, upsert};

/// One thing that happens to the table. Rows are numbered by the model, so that each is told from all others.
#[derive(Debug, Clone)]
enum Step {
    Replace(Vec<u8>),
    Append(Vec<u8>),
    /// Deletes every row whose place in the table is a multiple of the first number.
    Upsert(usize, Vec<u8>),
    Drop,
    /// Forgets what was replaced before the version so many back was made.
    Forget(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slices = || proptest::collection::vec(0_u8..5, 0..4);
    let step = prop_oneof![
        2 => slices().prop_map(Step::Replace),
        4 => slices().prop_map(Step::Append),
        5 => (1_usize..5, slices()).prop_map(|(every, slices)| Step::Upsert(every, slices)),
        1 => Just(Step::Drop),
        1 => (0_u64..4).prop_map(Step::Forget),
    ];
    proptest::collection::vec(step, 1..20)
}

/// A row is its slice's blob and its place in it.
type Rows = Vec<(String, u32)>;

#[derive(Default)]
struct Model {
    versions: BTreeMap<u64, Rows>,
    head: Option<u64>,
    last_version: u64,
    slices_made: u32,
}

impl Model {
    fn head_rows(&self) -> Rows {
        self.head.map(|head| self.versions[&head].clone()).unwrap_or_default()
    }

    fn set_head(&mut self, rows: Rows) {
        self.last_version += 1;
        self.head = Some(self.last_version);
        self.versions.insert(self.last_version, rows);
    }

    /// Fresh slices of these row counts, and their rows.
    fn fresh(&mut self, counts: &[u8]) -> (Vec<crate::catalog::NewSlice>, Rows) {
        let mut slices = Vec::new();
        let mut rows = Rows::new();
        for &count in counts {
            self.slices_made += 1;
            let blob = format!("t/{}", self.slices_made);
            slices.push(slice(&blob, u64::from(count)));
            rows.extend((0..u32::from(count)).map(|ordinal| (blob.clone(), ordinal)));
        }
        (slices, rows)
    }
}

fn rows_of(version: &TableVersion) -> Rows {
    let mut rows = Rows::new();
    for slice in &version.slices {
        let kept =
            (0..u32::try_from(slice.rows).unwrap()).filter(|ordinal| !slice.deleted.contains(*ordinal));
        rows.extend(kept.map(|ordinal| (slice.blob.to_string(), ordinal)));
    }
    rows
}

async fn take(step: &Step, model: &mut Model, catalog: &Catalog) {
    let head = catalog.table(&orders(), At::Head).await.unwrap();
    let based_on = head.as_ref().map(|head| head.version);
    match step {
        Step::Replace(counts) => {
            let (slices, rows) = model.fresh(counts);
            let made = load(orders(), LoadKind::Replace, None, slices);
            catalog.commit(&of_tables(vec![made])).await.unwrap();
            model.set_head(rows);
        }
        Step::Append(counts) => {
            let (slices, rows) = model.fresh(counts);
            let made = load(orders(), LoadKind::Append, based_on, slices);
            catalog.commit(&of_tables(vec![made])).await.unwrap();
            model.set_head([model.head_rows(), rows].concat());
        }
        Step::Upsert(every, counts) => {
            let (slices, rows) = model.fresh(counts);
            let (gone, kept): (Vec<_>, Vec<_>) =
                model.head_rows().into_iter().enumerate().partition(|(place, _)| place % every == 0);
            let mut deletions = Vec::new();
            for old in head.iter().flat_map(|head| &head.slices) {
                let ordinals =
                    gone.iter().filter(|(_, row)| row.0 == old.blob.as_str()).map(|(_, row)| row.1);
                let deleted = &old.deleted | ordinals.collect::<RoaringBitmap>();
                if deleted != old.deleted {
                    deletions.push(SliceDeletion { slice: old.id, deleted });
                }
            }
            let made = crate::catalog::TableLoad { based_on, ..upsert(0, slices, deletions) };
            let receipt = catalog.commit(&of_tables(vec![made])).await.unwrap();
            let told = &receipt.tables[0];
            let expected = (rows.len(), gone.len(), kept.len() + rows.len());
            let told = (told.rows_loaded, told.rows_deleted, told.rows_total);
            assert_eq!(told, (expected.0 as u64, expected.1 as u64, expected.2 as u64));
            model.set_head(kept.into_iter().map(|(_, row)| row).chain(rows).collect());
        }
        Step::Drop => {
            assert_eq!(catalog.drop_table(&orders()).await.unwrap(), model.head.is_some());
            model.versions.clear();
            model.head = None;
        }
        Step::Forget(back) => {
            let Some(head) = head else { return };
            let history = catalog.history(&orders()).await.unwrap();
            let from = head.version.0.saturating_sub(*back);
            let Some(line) = history.iter().find(|line| line.version.0 == from) else {
                return;
            };
            catalog.forget_versions(line.created).await.unwrap();
            model.versions.retain(|version, _| *version >= from);
        }
    }
}

async fn check(model: &Model, catalog: &Catalog) {
    let head = catalog.table(&orders(), At::Head).await.unwrap();
    assert_eq!(head.as_ref().map(|head| head.version.0), model.head);
    let history = catalog.history(&orders()).await.unwrap();
    let known: Vec<_> = history.iter().map(|line| line.version.0).collect();
    assert_eq!(known, model.versions.keys().copied().collect::<Vec<_>>());
    let mut needed = std::collections::BTreeSet::new();
    for (number, rows) in &model.versions {
        let version = catalog.table(&orders(), At::Version(VersionNumber(*number))).await.unwrap().unwrap();
        assert_eq!(rows_of(&version), *rows, "version {number}");
        assert_eq!(version.rows, rows.len() as u64, "version {number}");
        assert_eq!(
            version.bytes,
            version.slices.iter().map(|slice| slice.bytes).sum::<u64>(),
            "version {number}"
        );
        let then = catalog.table(&orders(), At::Time(version.created)).await.unwrap();
        assert_eq!(then.as_ref(), Some(&version));
        needed.extend(version.slices.into_iter().map(|slice| slice.blob));
    }
    let referenced = catalog.referenced_blobs().await.unwrap().into_iter().collect();
    assert_eq!(needed, referenced);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_version_reads_as_it_was_made_whatever_came_after(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = House::local().await;
            let mut model = Model::default();
            for step in &steps {
                take(step, &mut model, &house.catalog).await;
                check(&model, &house.catalog).await;
            }
        });
    }
}
