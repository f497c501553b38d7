//! Rows of a job, each of which ends by itself.

use std::time::Duration;

use rstest::rstest;

use crate::catalog::{Commit, CommitError, Tally, UnitEnd, UnitFailure};
use crate::job::{Failure, FailureCode, JobId, VersionNumber};

use super::{House, On, append, new_job, of_tables, orders, replace, slice, worker};

#[rstest]
#[tokio::test]
async fn a_unit_that_has_ended_is_not_published_again(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.waiting_job(new_job(None)).await;
    let first = house.claimed(job, &worker()).await;
    let of_unit = |attempt, unit, failure, tables| Commit {
        attempt: Some((job, attempt)),
        unit: Some(UnitEnd { unit, failure }),
        ..of_tables(tables)
    };
    let failed =
        |message: &str| Some(UnitFailure { code: FailureCode::OutputInvalid, message: message.to_owned() });
    house.catalog.commit(&of_unit(first, 1, failed("bad\0row"), vec![])).await.unwrap();
    house.catalog.commit(&of_unit(first, 0, None, vec![replace(vec![slice("a", 1)])])).await.unwrap();
    let left =
        Failure { code: FailureCode::RunnerLost, message: "the worker left".into(), detail: String::new() };
    house.catalog.put_back(job, first, &left, Duration::ZERO, Tally::Counted).await.unwrap();
    let next = house.claimed(job, &worker()).await;
    let expected =
        [UnitEnd { unit: 0, failure: None }, UnitEnd { unit: 1, failure: failed("bad\u{2400}row") }];
    assert_eq!(house.catalog.unit_ends(job).await.unwrap(), expected);
    let again = of_unit(next, 0, None, vec![append(1, vec![slice("b", 1)])]);
    let refused = house.catalog.commit(&again).await.unwrap_err();
    assert!(matches!(refused, CommitError::FenceLost { .. }), "{refused}");
    assert_eq!(house.head(&orders()).await.version, VersionNumber(1));
    assert_eq!(house.catalog.unit_ends(JobId::fresh()).await.unwrap(), []);
}
