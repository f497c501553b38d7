use jiff::Timestamp;

use crate::catalog::{CatalogError, JobRecord, OpenAttempt};
use crate::events::{Event, Level, Source};
use crate::job::{AttemptNumber, ConfigurationId, FailureCode, JobEnd, JobId, JobState, JobStatus, Phase};
use rstest::rstest;

use super::{House, On, component, key, new_job, success, worker};

async fn record(house: &House, id: JobId) -> JobRecord {
    house.catalog.job(id).await.unwrap().unwrap()
}

/// When a running job was claimed.
fn began(record: &JobRecord) -> Timestamp {
    match &record.state {
        JobState::Processing { since, .. } => *since,
        JobState::Waiting | JobState::Done { .. } => panic!("{record:?} does not run"),
    }
}

fn failure() -> JobEnd {
    let code = Some(FailureCode::TimeLimit);
    JobEnd { status: JobStatus::Error, code, message: "it took too long".into() }
}

#[rstest]
#[tokio::test]
async fn a_job_waits_until_it_is_claimed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let configuration = ConfigurationId::parse("main").unwrap();
    let id = house.waiting_job(new_job(Some("main"))).await;
    let waiting = record(&house, id).await;
    let expected = JobRecord {
        id,
        component: component(),
        configuration: Some(configuration),
        created: waiting.created,
        state: JobState::Waiting,
        result: None,
        log: None,
    };
    assert_eq!(waiting, expected);
    assert_eq!(house.catalog.claim(id, &worker()).await.unwrap(), Some(AttemptNumber(1)));
    assert_eq!(house.catalog.claim(id, &worker()).await.unwrap(), None, "a running job was claimed");
    let processing = record(&house, id).await;
    let since = began(&processing);
    assert!(since >= waiting.created);
    let state = JobState::Processing {
        since,
        attempt: AttemptNumber::FIRST,
        phase: Phase::Resolve,
        worker: worker(),
    };
    let expected = JobRecord { state, ..waiting };
    assert_eq!(processing, expected);
}

#[rstest]
#[tokio::test]
async fn the_progress_of_an_attempt_is_what_was_said_last(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let id = house.processing_job().await;
    let before = record(&house, id).await;
    let attempt = AttemptNumber::FIRST;
    let progress = async |phase, data_folder, result| {
        assert!(house.catalog.progress(id, attempt, phase, data_folder, result).await.unwrap());
    };
    progress(Phase::Stage, Some("/tmp/data"), Some("{\"inputs\": 1}")).await;
    progress(Phase::Run, None, None).await;
    let since = began(&before);
    let state = JobState::Processing { since, attempt, phase: Phase::Run, worker: worker() };
    let expected = JobRecord { state, result: Some("{\"inputs\": 1}".into()), ..before.clone() };
    assert_eq!(record(&house, id).await, expected);
    let open = OpenAttempt {
        job: id,
        attempt,
        worker: worker(),
        phase: Phase::Run,
        started: since,
        data_folder: Some("/tmp/data".into()),
    };
    assert_eq!(house.catalog.open_attempts().await.unwrap(), [open]);
}

#[rstest]
#[tokio::test]
async fn a_job_ends_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let id = house.processing_job().await;
    let before = record(&house, id).await;
    let attempt = AttemptNumber::FIRST;
    assert!(house.catalog.end_job(id, attempt, &failure(), Some("{\"final\": 1}")).await.unwrap());
    assert!(!house.catalog.end_job(id, attempt, &success(), None).await.unwrap(), "a job ended twice");
    assert!(!house.catalog.progress(id, attempt, Phase::Cleanup, None, Some("{}")).await.unwrap());
    assert_eq!(house.catalog.claim(id, &worker()).await.unwrap(), None, "a job that is done was claimed");
    let ended = record(&house, id).await;
    let JobState::Done { ended: moment, .. } = ended.state else { panic!("{:?}", ended.state) };
    assert!(moment >= began(&before));
    let state = JobState::Done { started: Some(began(&before)), ended: moment, end: failure() };
    let expected = JobRecord { state, result: Some("{\"final\": 1}".into()), ..before };
    assert_eq!(ended, expected);
    assert_eq!(house.catalog.open_attempts().await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn what_becomes_known_after_the_end_is_added(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let id = house.processing_job().await;
    house.catalog.end_job(id, AttemptNumber::FIRST, &failure(), Some("1")).await.unwrap();
    let ended = record(&house, id).await;
    house.catalog.annotate(id, "2", Some(&key("logs/1.zst"))).await.unwrap();
    house.catalog.annotate(id, "3", None).await.unwrap();
    let expected = JobRecord { result: Some("3".into()), log: Some(key("logs/1.zst")), ..ended };
    assert_eq!(record(&house, id).await, expected);
}

#[rstest]
#[tokio::test]
async fn a_log_is_on_record_before_the_end_and_only_while_the_attempt_is_ours(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let id = house.processing_job().await;
    let log = key("logs/1.zst");
    assert!(house.catalog.keep_log(id, AttemptNumber::FIRST, &log).await.unwrap());
    assert_eq!(record(&house, id).await.log, Some(log.clone()));
    let other = key("logs/2.zst");
    assert!(!house.catalog.keep_log(id, AttemptNumber(2), &other).await.unwrap(), "of another attempt");
    house.catalog.end_job(id, AttemptNumber::FIRST, &failure(), None).await.unwrap();
    assert!(!house.catalog.keep_log(id, AttemptNumber::FIRST, &other).await.unwrap(), "after the end");
    assert_eq!(record(&house, id).await.log, Some(log));
}

#[rstest]
#[tokio::test]
async fn one_claim_of_many_wins(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let id = house.waiting_job(new_job(None)).await;
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let catalog = house.beside().await;
        claims.spawn(async move { catalog.claim(id, &worker()).await.unwrap() });
    }
    let mut won = 0;
    while let Some(claim) = claims.join_next().await {
        won += usize::from(claim.unwrap().is_some());
    }
    assert_eq!(won, 1);
}

#[rstest]
#[tokio::test]
async fn a_wrong_attempt_changes_nothing(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let before = house.catalog.job(job).await.unwrap();
    let wrong = AttemptNumber(2);
    assert!(!house.catalog.progress(job, wrong, Phase::Run, Some("/x"), Some("{}")).await.unwrap());
    assert!(!house.catalog.end_job(job, wrong, &success(), Some("{}")).await.unwrap());
    assert_eq!(house.catalog.job(job).await.unwrap(), before);
    assert_eq!(house.catalog.open_attempts().await.unwrap()[0].phase, Phase::Resolve);
}

#[rstest]
#[tokio::test]
async fn unknown_jobs_and_known_ids_are_named(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let known = house.catalog.begin_job(job, &component(), None, "{}", &worker()).await.unwrap_err();
    assert!(matches!(known, CatalogError::JobExists { job: named } if named == job), "{known}");
    let nobody = JobId::fresh();
    for refused in [
        house.catalog.claim(nobody, &worker()).await.unwrap_err(),
        house.catalog.annotate(nobody, "{}", None).await.unwrap_err(),
    ] {
        assert!(matches!(refused, CatalogError::NoSuchJob { job } if job == nobody), "{refused}");
    }
    assert_eq!(house.catalog.job(nobody).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn jobs_are_listed_newest_first(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = house.waiting_job(new_job(None)).await;
        ids.insert(0, id);
    }
    let listed: Vec<_> = house.catalog.jobs(3).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(listed, ids[..3]);
    assert_eq!(house.catalog.jobs(u64::MAX).await.unwrap().len(), 5);
}

#[tokio::test]
async fn the_newest_of_many_jobs_are_found_without_reading_the_others() {
    let house = House::local().await;
    let plan = sqlx::query("EXPLAIN QUERY PLAN SELECT * FROM jobs ORDER BY created DESC, id DESC LIMIT 5")
        .fetch_all(&house.catalog.back_door())
        .await
        .unwrap();
    let steps: Vec<String> = plan.iter().map(|step| sqlx::Row::get(step, "detail")).collect();
    assert_eq!(steps, ["SCAN jobs USING INDEX jobs_by_time"]);
}

fn event(sequence: u64) -> Event {
    Event {
        sequence,
        time: Timestamp::from_microsecond(1_700_000_000_000_000 + i64::try_from(sequence).unwrap()).unwrap(),
        level: Level::ALL[usize::try_from(sequence).unwrap() % Level::ALL.len()],
        source: Source::ALL[usize::try_from(sequence).unwrap() % Source::ALL.len()],
        message: format!("line {sequence} 'quoted' \u{1F6A2}\n"),
        fields: sequence.is_multiple_of(2).then(|| format!("{{\"n\":{sequence}}}")),
    }
}

#[rstest]
#[tokio::test]
async fn events_come_back_in_order_from_any_number_on(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let (job, other) = (house.processing_job().await, house.processing_job().await);
    let all: Vec<_> = (0..173).map(event).collect();
    house.catalog.add_events(job, &all[100..]).await.unwrap();
    house.catalog.add_events(job, &all[..100]).await.unwrap();
    house.catalog.add_events(job, &[]).await.unwrap();
    house.catalog.add_events(other, &all[5..6]).await.unwrap();
    assert_eq!(house.catalog.events(job, 0, 1_000).await.unwrap(), all);
    assert_eq!(house.catalog.events(job, 120, 10).await.unwrap(), all[120..130]);
    assert_eq!(house.catalog.events(job, 173, 10).await.unwrap(), []);
    assert_eq!(house.catalog.events(other, 0, 1_000).await.unwrap(), all[5..6]);
}

#[rstest]
#[tokio::test]
async fn a_batch_of_events_that_is_sent_again_is_recorded_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let all: Vec<_> = (0..80).map(event).collect();
    house.catalog.add_events(job, &all[..60]).await.unwrap();
    house.catalog.add_events(job, &all).await.unwrap();
    assert_eq!(house.catalog.events(job, 0, 1_000).await.unwrap(), all);
}
