//! Commits that publish nothing, and why.

use crate::catalog::{Commit, CommitError, SliceDeletion, SliceId, TableLoad};
use crate::job::{AttemptNumber, JobStatus, LoadKind, VersionNumber};
use rstest::rstest;

use super::{
    House, On, append, customers, key, load, of_tables, orders, replace, rows, slice, success, upsert,
};

#[rstest]
#[tokio::test]
async fn an_append_or_upsert_against_an_old_head_publishes_nothing(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 1)])).await;
    house.load(append(1, vec![slice("b", 1)])).await;
    let before = house.head(&orders()).await;
    let never = load(orders(), LoadKind::Append, None, vec![]);
    for stale in [append(1, vec![]), upsert(1, vec![], vec![]), append(3, vec![]), never] {
        let both = of_tables(vec![load(customers(), LoadKind::Replace, None, vec![]), stale]);
        let refused = house.catalog.commit(&both).await.unwrap_err();
        assert!(matches!(&refused, CommitError::HeadMoved { table } if *table == orders()), "{refused}");
    }
    let on_nothing = TableLoad { table: customers(), ..append(1, vec![]) };
    let refused = house.catalog.commit(&of_tables(vec![on_nothing])).await.unwrap_err();
    assert!(matches!(&refused, CommitError::HeadMoved { table } if *table == customers()), "{refused}");
    assert_eq!(house.head(&orders()).await, before);
    assert_eq!(house.catalog.tables().await.unwrap().len(), 1);
}

#[rstest]
#[tokio::test]
async fn only_the_current_attempt_of_a_running_job_publishes(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let commit = |attempt| Commit {
        attempt: Some((job, AttemptNumber(attempt))),
        end: Some(success()),
        ..of_tables(vec![replace(vec![])])
    };
    for wrong in [0, 2] {
        let refused = house.catalog.commit(&commit(wrong)).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("attempt {wrong} of job {job} has lost its lease"));
    }
    house.catalog.commit(&commit(1)).await.unwrap();
    let again = house.catalog.commit(&commit(1)).await.unwrap_err();
    assert!(matches!(again, CommitError::FenceLost { .. }), "{again}");
    assert_eq!(house.head(&orders()).await.version, VersionNumber(1));
    let unknown = crate::job::JobId::fresh();
    let of_nobody = Commit { attempt: Some((unknown, AttemptNumber::FIRST)), ..Commit::default() };
    let refused = house.catalog.commit(&of_nobody).await.unwrap_err();
    assert!(matches!(refused, CommitError::FenceLost { job, .. } if job == unknown), "{refused}");
}

#[rstest]
#[tokio::test]
async fn deletions_that_do_not_fit_their_slice_are_refused(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    house.load(replace(vec![slice("a", 3), slice("b", 3)])).await;
    let ids: Vec<_> = house.head(&orders()).await.slices.iter().map(|slice| slice.id).collect();
    house.load(upsert(1, vec![], vec![SliceDeletion { slice: ids[0], deleted: rows(&[1]) }])).await;
    let refusal =
        async |load: TableLoad| house.catalog.commit(&of_tables(vec![load])).await.unwrap_err().to_string();
    let delete =
        |slice, deleted: &[u32]| upsert(2, vec![], vec![SliceDeletion { slice, deleted: rows(deleted) }]);
    assert_eq!(
        refusal(delete(ids[0], &[0, 2])).await,
        "the rows deleted from slice a of table in.c-main.orders bring back rows that were deleted before"
    );
    assert_eq!(
        refusal(delete(ids[1], &[3])).await,
        "the rows deleted from slice b of table in.c-main.orders are more than it has"
    );
    assert_eq!(
        refusal(delete(SliceId(99), &[0])).await,
        "slice 99 is not in the head of table in.c-main.orders"
    );
    let mut too_many = slice("c", 1);
    too_many.deleted = rows(&[1]);
    assert_eq!(
        refusal(append(2, vec![too_many])).await,
        "the rows deleted from slice c of table in.c-main.orders are more than it has"
    );
    let rekeyed = TableLoad { rekeyed: vec![(SliceId(99), key("k"))], ..append(2, vec![]) };
    assert_eq!(refusal(rekeyed).await, "slice 99 is not in the head of table in.c-main.orders");
}

#[rstest]
#[tokio::test]
async fn a_commit_that_makes_no_sense_is_refused_before_it_begins(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let twice = of_tables(vec![replace(vec![]), replace(vec![])]);
    let no_job = Commit { end: Some(success()), ..Commit::default() };
    let no_end = Commit {
        attempt: Some((job, AttemptNumber::FIRST)),
        end: Some(crate::job::JobEnd { status: JobStatus::Waiting, ..success() }),
        ..Commit::default()
    };
    for (commit, message) in [
        (twice, "table in.c-main.orders is loaded twice in one commit".to_owned()),
        (no_job, "a commit by hand has no job to end".to_owned()),
        (no_end, format!("job {job} cannot end as waiting")),
    ] {
        assert_eq!(house.catalog.commit(&commit).await.unwrap_err().to_string(), message);
    }
}
