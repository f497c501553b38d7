use std::pin::pin;
use std::task::Poll;

use crate::catalog::{At, CatalogError, Commit, CommitError, NewFile, SliceDeletion, StateKey, TableLoad};
use crate::job::{
    AttemptNumber, ConfigurationId, FileReceipt, JobState, JobStatus, LoadKind, Receipt, RowId, TableReceipt,
    VersionNumber,
};
use rstest::rstest;

use super::{
    House, On, append, component, customers, key, load, of_tables, orders, replace, rows, slice, success,
    texts, upsert,
};

fn state_key(row: Option<&str>) -> StateKey {
    StateKey {
        component: component(),
        configuration: ConfigurationId::parse("main").unwrap(),
        row: row.map(|row| RowId::parse(row).unwrap()),
    }
}

fn report() -> NewFile {
    NewFile {
        blob: key("f/report"),
        name: "report.pdf".into(),
        bytes: 7,
        tags: texts(&["daily"]),
        is_permanent: true,
        is_public: false,
        is_sliced: false,
    }
}

#[rstest]
#[tokio::test]
async fn everything_of_a_job_appears_in_one_commit_and_its_receipt_can_be_rebuilt(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let commit = Commit {
        attempt: Some((job, AttemptNumber::FIRST)),
        tables: vec![
            replace(vec![slice("a", 3)]),
            load(customers(), LoadKind::Append, None, vec![slice("b", 2)]),
        ],
        files: vec![report()],
        state: Some((state_key(None), "{\"last\": 1}".into())),
        processed_tags: vec![],
        unit: None,
        end: Some(success()),
    };
    let receipt = house.catalog.commit(&commit).await.unwrap();
    let table = |table, load, rows_loaded| TableReceipt {
        table,
        version: VersionNumber(1),
        load,
        rows_loaded,
        rows_deleted: 0,
        rows_total: rows_loaded,
        bytes_loaded: rows_loaded * 10,
    };
    let file = &receipt.files[0];
    let expected = Receipt {
        tables: vec![table(orders(), LoadKind::Replace, 3), table(customers(), LoadKind::Append, 2)],
        files: vec![FileReceipt { id: file.id, name: "report.pdf".into(), bytes: 7 }],
    };
    assert_eq!(receipt, expected);
    assert_eq!(house.catalog.outputs_of(job).await.unwrap(), expected);
    assert_eq!(house.catalog.state(&state_key(None)).await.unwrap().as_deref(), Some("{\"last\": 1}"));
    let record = house.catalog.job(job).await.unwrap().unwrap();
    assert!(matches!(&record.state, JobState::Done { end, .. } if *end == super::success()), "{record:?}");
    assert_eq!(house.catalog.open_attempts().await.unwrap(), []);
    let (orders, customers) = (house.head(&orders()).await, house.head(&customers()).await);
    assert_eq!((orders.job, orders.created), (Some(job), customers.created));
}

#[rstest]
#[tokio::test]
async fn a_receipt_outlives_its_versions(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let attempt = Some((job, AttemptNumber::FIRST));
    let mut receipt = Receipt::default();
    for load in [replace(vec![slice("a", 3)]), append(1, vec![slice("b", 1)])] {
        let commit = Commit { attempt, tables: vec![load], ..Commit::default() };
        receipt.tables.extend(house.catalog.commit(&commit).await.unwrap().tables);
    }
    house.catalog.drop_table(&orders()).await.unwrap();
    assert_eq!(house.catalog.outputs_of(job).await.unwrap(), receipt);
}

#[rstest]
#[tokio::test]
async fn a_fault_in_the_last_statement_of_a_commit_leaves_nothing(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 3)])).await;
    let before = house.head(&orders()).await;
    let job = house.processing_job().await;
    house.sql("ALTER TABLE attempts RENAME COLUMN ended TO gone").await;
    let commit = Commit {
        attempt: Some((job, AttemptNumber::FIRST)),
        tables: vec![
            upsert(
                1,
                vec![slice("b", 1)],
                vec![SliceDeletion { slice: before.slices[0].id, deleted: rows(&[0]) }],
            ),
            load(customers(), LoadKind::Replace, None, vec![slice("c", 2)]),
        ],
        files: vec![report()],
        state: Some((state_key(None), "{}".into())),
        processed_tags: vec![],
        unit: None,
        end: Some(success()),
    };
    let refused = house.catalog.commit(&commit).await.unwrap_err();
    let CommitError::Catalog(CatalogError::Sql { action, source }) = refused else { panic!("{refused}") };
    assert_eq!(action, format!("end attempt 1 of job {job}"));
    assert!(source.to_string().contains("ended"), "{source}");
    assert_eq!(house.head(&orders()).await, before);
    assert_eq!(house.catalog.tables().await.unwrap().len(), 1);
    assert_eq!(house.catalog.outputs_of(job).await.unwrap(), Receipt::default());
    assert_eq!(house.catalog.state(&state_key(None)).await.unwrap(), None);
    assert_eq!(house.catalog.job(job).await.unwrap().unwrap().state.status(), JobStatus::Processing);
    house.sql("ALTER TABLE attempts RENAME COLUMN gone TO ended").await;
    house.catalog.commit(&commit).await.unwrap();
    assert_eq!(house.head(&orders()).await.version, VersionNumber(2));
}

#[rstest]
#[tokio::test]
async fn a_commit_that_is_dropped_at_any_point_leaves_all_or_nothing(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let (mut cut, mut finished) = (0, 0);
    for polls in 1.. {
        let version = house.catalog.table(&orders(), At::Head).await.unwrap().map(|table| table.version);
        let tables =
            [orders(), customers()].map(|table| load(table, LoadKind::Append, version, vec![slice("a", 1)]));
        let commit = of_tables(tables.into());
        let done = {
            let mut future = pin!(house.catalog.commit(&commit));
            let mut left = polls;
            std::future::poll_fn(|context| {
                left -= 1;
                match future.as_mut().poll(context) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending if left == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        };
        let heads = house.catalog.snapshot(&[orders(), customers()]).await.unwrap();
        let versions: Vec<_> = heads.iter().map(|head| head.as_ref().map(|table| table.version)).collect();
        assert_eq!(versions[0], versions[1], "half a commit after {polls} polls");
        let next = version.map_or(VersionNumber(1), VersionNumber::next);
        assert!(versions[0] == version || versions[0] == Some(next), "{versions:?} after {version:?}");
        match done {
            None => cut += 1,
            // The commit before was cut after the database had been told, and has become visible only now.
            Some(Err(CommitError::HeadMoved { .. })) => {}
            Some(result) => {
                result.unwrap();
                assert_eq!(versions[0], Some(next));
                finished += 1;
            }
        }
        if finished == 3 {
            break;
        }
    }
    assert!(cut > 0, "no commit was ever cut");
}

#[rstest]
#[tokio::test]
async fn a_replace_wins_over_whatever_is_there(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 1)])).await;
    house.load(append(1, vec![slice("b", 1)])).await;
    let stale = TableLoad { based_on: Some(VersionNumber(1)), ..replace(vec![slice("c", 5)]) };
    house.load(stale).await;
    let head = house.head(&orders()).await;
    let blobs: Vec<_> = head.slices.iter().map(|slice| slice.blob.as_str()).collect();
    assert_eq!((head.version, head.rows, head.bytes, blobs), (VersionNumber(3), 5, 50, vec!["c"]));
}

#[rstest]
#[tokio::test]
async fn import_times_grow_whatever_the_clock_does(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 1)])).await;
    let future: jiff::Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    house.sql("UPDATE counters SET value = 4102444800000000 WHERE name = 'commit_time'").await;
    let mut last = future;
    for version in 1..=3 {
        house.load(append(version, vec![slice("b", 1)])).await;
        let created = house.head(&orders()).await.created;
        assert_eq!(created, last + jiff::SignedDuration::from_micros(1));
        last = created;
    }
}

#[rstest]
#[tokio::test]
async fn a_state_is_replaced_and_a_row_has_its_own(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    for (row, document) in [(None, "1"), (Some("a"), "2"), (None, "3")] {
        let commit = Commit { state: Some((state_key(row), document.into())), ..Commit::default() };
        house.catalog.commit(&commit).await.unwrap();
    }
    for (row, expected) in [(None, Some("3")), (Some("a"), Some("2")), (Some("b"), None)] {
        assert_eq!(house.catalog.state(&state_key(row)).await.unwrap().as_deref(), expected);
    }
}

#[rstest]
#[tokio::test]
async fn a_state_is_replaced_from_outside_only_when_it_is_the_one_that_was_read(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    for (row, document) in [(Some("a"), "2"), (None, "1")] {
        let commit = Commit { state: Some((state_key(row), document.into())), ..Commit::default() };
        house.catalog.commit(&commit).await.unwrap();
    }
    let both = [(state_key(None), "1".to_owned()), (state_key(Some("a")), "2".to_owned())];
    assert_eq!(house.catalog.states().await.unwrap(), both);
    assert!(!house.catalog.replace_state(&state_key(None), "2", "3").await.unwrap());
    assert!(house.catalog.replace_state(&state_key(Some("a")), "2", "3").await.unwrap());
    let expected = [(state_key(None), "1".to_owned()), (state_key(Some("a")), "3".to_owned())];
    assert_eq!(house.catalog.states().await.unwrap(), expected);
}

#[rstest]
#[tokio::test]
async fn a_load_of_thousands_of_slices_keeps_their_order_and_what_is_deleted_of_each(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let slices: Vec<_> = (0..2_017)
        .map(|number: u32| {
            let mut slice = slice(&format!("t/{number}"), 3);
            if number % 500 == 7 {
                slice.deleted = rows(&[number % 3]);
            }
            slice
        })
        .collect();
    let receipt = house.load(replace(slices.clone())).await;
    assert_eq!(receipt.tables[0].rows_total, 2_017 * 3 - 5);
    let head = house.head(&orders()).await;
    let stored: Vec<_> =
        head.slices.iter().map(|slice| (slice.blob.clone(), slice.deleted.clone())).collect();
    assert_eq!(stored, slices.into_iter().map(|slice| (slice.blob, slice.deleted)).collect::<Vec<_>>());
}
