//! A connection that is cut while something is committed: what was asked is done once, and told as if nothing had been.

use std::time::Duration;

use rstest::rstest;

use crate::catalog::{
    Accepted, Begun, CancelAnswer, Catalog, Commit, NewFile, PostgresOptions, PutBack, Tally, UnitEnd,
};
use crate::job::{
    AttemptNumber, Failure, FailureCode, Hidden, JobEnd, JobId, JobStatus, Phase, VersionNumber, WorkerId,
};

use super::proxy::{Cut, Proxy};
use super::{House, On, append, component, key, new_job, of_tables, orders, replace, slice, success, worker};

/// A catalog behind a proxy, and the same one directly.
struct Cuttable {
    house: House,
    proxy: Proxy,
    catalog: Catalog,
}

impl Cuttable {
    async fn new() -> Option<Self> {
        let house = House::on(On::Postgres).await?;
        let proxy = Proxy::to(15432).await;
        let direct = house.postgres();
        let url = direct.url.reveal().replace(":15432/", &format!(":{}/", proxy.port));
        let catalog =
            Catalog::open_postgres(&PostgresOptions { url: Hidden::new(url), ..direct }).await.unwrap();
        Some(Self { house, proxy, catalog })
    }

    /// Asks while the next commit is cut.
    async fn cut<T>(&self, cut: Cut, asked: impl Future<Output = T>) -> T {
        self.proxy.cut_next(cut);
        let answer = asked.await;
        assert!(self.proxy.has_cut(), "nothing was committed");
        answer
    }
}

fn failure() -> Failure {
    Failure { code: FailureCode::EngineFailed, message: "the engine is gone".into(), detail: String::new() }
}

#[rstest]
#[tokio::test]
async fn a_commit_happens_once_and_its_receipt_is_the_one_that_was_lost(
    #[values(Cut::Request, Cut::Answer)] cut: Cut,
) {
    let Some(world) = Cuttable::new().await else { return };
    let job = world.house.processing_job().await;
    let file = NewFile {
        blob: key("f/1"),
        name: "report".into(),
        bytes: 7,
        tags: vec!["daily".into()],
        is_permanent: false,
        is_public: false,
        is_sliced: false,
    };
    let commit = Commit {
        attempt: Some((job, AttemptNumber::FIRST)),
        tables: vec![replace(vec![slice("a", 3)])],
        files: vec![file],
        unit: Some(UnitEnd { unit: 0, failure: None }),
        end: Some(success()),
        ..Commit::default()
    };
    let receipt = world.cut(cut, world.catalog.commit(&commit)).await.unwrap();
    assert_eq!(receipt, world.house.catalog.outputs_of(job).await.unwrap());
    assert_eq!((receipt.tables.len(), receipt.files.len()), (1, 1));
    assert_eq!(world.house.head(&orders()).await.version, VersionNumber(1));
}

#[rstest]
#[tokio::test]
async fn an_import_by_hand_is_appended_once(#[values(Cut::Request, Cut::Answer)] cut: Cut) {
    let Some(world) = Cuttable::new().await else { return };
    world.house.load(replace(vec![slice("a", 3)])).await;
    let commit = of_tables(vec![append(1, vec![slice("b", 2)])]);
    let receipt = world.cut(cut, world.catalog.commit(&commit)).await.unwrap();
    assert_eq!((receipt.tables[0].version, receipt.tables[0].rows_total), (VersionNumber(2), 5));
    let head = world.house.head(&orders()).await;
    assert_eq!((head.version, head.rows), (VersionNumber(2), 5));
}

#[rstest]
#[tokio::test]
async fn a_job_is_accepted_begun_and_claimed_once(#[values(Cut::Request, Cut::Answer)] cut: Cut) {
    let Some(world) = Cuttable::new().await else { return };
    let job = new_job(None);
    let accepted = world.cut(cut, world.catalog.accept_jobs(std::slice::from_ref(&job))).await.unwrap();
    let expected = match cut {
        Cut::Request => Accepted::New(job.id),
        Cut::Answer => Accepted::Known(job.id),
    };
    assert_eq!(accepted, [expected]);
    let attempt = world.cut(cut, world.catalog.claim(job.id, &worker())).await.unwrap();
    assert_eq!(attempt, Some(AttemptNumber::FIRST));
    // Another call of the same worker has not taken it.
    assert_eq!(world.catalog.claim(job.id, &worker()).await.unwrap(), None);
    let (own, component) = (JobId::fresh(), component());
    let main = new_job(Some("main")).configuration;
    let (worker, main) = (worker(), main.as_ref());
    let begun = world.cut(cut, world.catalog.begin_job(own, &component, main, "{}", &worker)).await.unwrap();
    assert_eq!(begun, Begun::Attempt(AttemptNumber::FIRST));
    assert_eq!(world.house.catalog.open_attempts().await.unwrap().len(), 2);
}

#[rstest]
#[tokio::test]
async fn a_job_is_moved_once(#[values(Cut::Request, Cut::Answer)] cut: Cut) {
    let Some(world) = Cuttable::new().await else { return };
    let catalog = &world.catalog;
    let second = WorkerId::parse("worker-2").unwrap();
    let job = world.house.processing_job().await;
    let first = AttemptNumber::FIRST;
    let told = catalog.progress(job, first, Phase::Run, None, Some("{\"a\": 1}"));
    assert!(world.cut(cut, told).await.unwrap());
    assert!(world.cut(cut, catalog.take_over(job, first, &worker(), &second)).await.unwrap());
    let failure = failure();
    let back = catalog.put_back(job, first, &failure, Duration::ZERO, Tally::Counted);
    assert_eq!(world.cut(cut, back).await.unwrap(), PutBack::Waiting);
    let used = world.house.lines("SELECT attempts_used FROM jobs").await;
    assert_eq!(used, 1, "put back twice");
    let next = world.house.claimed(job, &second).await;
    let end = JobEnd { status: JobStatus::Error, code: Some(failure.code), message: "no".into() };
    assert!(world.cut(cut, catalog.end_job(job, next, &end, Some("{}"))).await.unwrap());
    assert!(!catalog.end_job(job, next, &end, None).await.unwrap(), "ended by another call");

    let waits = world.house.waiting_job(new_job(None)).await;
    assert_eq!(world.cut(cut, catalog.cancel_job(waits)).await.unwrap(), CancelAnswer::Cancelled);
    let last = world.house.waiting_job(crate::catalog::NewJob { attempts_max: 1, ..new_job(None) }).await;
    let attempt = world.house.claimed(last, &second).await;
    let back = catalog.put_back(last, attempt, &failure, Duration::ZERO, Tally::Counted);
    assert_eq!(world.cut(cut, back).await.unwrap(), PutBack::Ended);
}

#[rstest]
#[tokio::test]
async fn what_is_removed_or_stored_is_so_once(#[values(Cut::Request, Cut::Answer)] cut: Cut) {
    let Some(world) = Cuttable::new().await else { return };
    let catalog = &world.catalog;
    world.house.load(replace(vec![slice("a", 3)])).await;
    let orders = orders();
    assert!(world.cut(cut, catalog.drop_table(&orders)).await.unwrap());
    assert!(!catalog.drop_table(&orders).await.unwrap());
    let (component, main) = (component(), new_job(Some("main")).configuration.unwrap());
    let put = catalog.put_configuration(&component, &main, "a: 1", None);
    assert_eq!(world.cut(cut, put).await.unwrap(), 1);
    assert_eq!(catalog.configuration_history(&component, &main).await.unwrap().len(), 1);
}

#[tokio::test]
async fn connections_that_the_server_ends_are_survived() {
    let Some(house) = House::on(On::Postgres).await else { return };
    house.load(replace(vec![slice("a", 3)])).await;
    for version in 1..=5 {
        let killer = house.beside().await;
        sqlx::raw_sql(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&killer.back_door())
        .await
        .unwrap();
        house.load(append(version, vec![slice("b", 1)])).await;
        assert_eq!(house.head(&orders()).await.rows, 3 + version);
    }
}

#[tokio::test]
async fn a_server_that_stays_away_is_an_error_when_patience_ends() {
    let Some(world) = Cuttable::new().await else { return };
    let options = world.house.postgres();
    let url = options.url.reveal().replace(":15432/", &format!(":{}/", world.proxy.port));
    let options = PostgresOptions { url: Hidden::new(url), patience: Duration::from_millis(200), ..options };
    let catalog = Catalog::open_postgres(&options).await.unwrap();
    catalog.tables().await.unwrap();
    drop(world.proxy);
    let refused = catalog.tables().await.unwrap_err();
    assert!(refused.is_passing(), "{refused}");
}
