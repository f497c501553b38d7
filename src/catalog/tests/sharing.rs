//! Several workers on one catalog: who gets a job, who loses it, how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use rstest::rstest;
use tokio::task::JoinSet;

use crate::catalog::{
    Beat, CancelAnswer, CatalogError, Commit, CommitError, HeldAttempt, NewJob, PutBack, Tally,
};
use crate::job::{
    AttemptNumber, Failure, FailureCode, JobEnd, JobId, JobState, JobStatus, Phase, VersionNumber, WorkerId,
};

use super::{House, On, new_job, of_tables, orders, replace, slice, success, worker};

fn second() -> WorkerId {
    WorkerId::parse("worker-2").unwrap()
}

fn lost() -> Failure {
    Failure { code: FailureCode::RunnerLost, message: "the worker was lost".into(), detail: "no beat".into() }
}

async fn end_of(house: &House, job: JobId) -> Option<JobEnd> {
    match house.catalog.job(job).await.unwrap().unwrap().state {
        JobState::Done { end, .. } => Some(end),
        JobState::Waiting | JobState::Processing { .. } => None,
    }
}

async fn put_back(house: &House, job: JobId, attempt: AttemptNumber) -> PutBack {
    house.catalog.put_back(job, attempt, &lost(), Duration::ZERO, Tally::Counted).await.unwrap()
}

fn held(job: JobId, attempt: AttemptNumber) -> HeldAttempt {
    HeldAttempt { job, attempt, is_cancel_asked: false }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_share_the_jobs_and_each_configuration_keeps_its_order(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let names = ["a", "b", "c", "d"];
    let jobs: Vec<_> = (0..40).map(|number: usize| new_job(Some(names[number % 4]))).collect();
    house.catalog.accept_jobs(&jobs).await.unwrap();
    let mut workers = JoinSet::new();
    for name in ["w-1", "w-2", "w-3"] {
        let (catalog, worker) = (house.beside().await, WorkerId::parse(name).unwrap());
        workers.spawn(async move {
            let mut ran = 0;
            loop {
                let open = catalog.waiting_jobs(8).await.unwrap();
                if open.is_empty() && catalog.job_counts().await.unwrap().by_end.len() == 1 {
                    return ran;
                }
                for job in open {
                    let Some(attempt) = catalog.claim(job.id, &worker).await.unwrap() else { continue };
                    tokio::task::yield_now().await;
                    assert!(catalog.end_job(job.id, attempt, &success(), None).await.unwrap());
                    ran += 1;
                }
            }
        });
    }
    assert_eq!(workers.join_all().await.into_iter().sum::<usize>(), 40);
    let mut spans: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for job in &jobs {
        let record = house.catalog.job(job.id).await.unwrap().unwrap();
        let JobState::Done { started, ended, .. } = record.state else { panic!("{record:?}") };
        spans
            .entry(job.configuration.clone().unwrap().to_string())
            .or_default()
            .extend([started.unwrap(), ended]);
    }
    for (configuration, moments) in spans {
        assert!(moments.is_sorted(), "{configuration}: {moments:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_job_waits_for_the_older_one_of_its_configuration_even_while_that_waits_for_its_retry(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let older = house.waiting_job(new_job(Some("main"))).await;
    let later = house.waiting_job(new_job(Some("main"))).await;
    let free = house.waiting_job(new_job(None)).await;
    let claimable = async || -> Vec<JobId> {
        house.catalog.waiting_jobs(10).await.unwrap().into_iter().map(|job| job.id).collect()
    };
    assert_eq!(claimable().await, [older, free]);
    assert_eq!(house.catalog.claim(later, &worker()).await.unwrap(), None);
    let attempt = house.claimed(older, &worker()).await;
    assert_eq!(claimable().await, [free]);
    assert_eq!(house.catalog.claim(later, &worker()).await.unwrap(), None);
    let in_an_hour = Duration::from_secs(3600);
    let answer = house.catalog.put_back(older, attempt, &lost(), in_an_hour, Tally::Counted).await.unwrap();
    assert_eq!(answer, PutBack::Waiting);
    assert_eq!(claimable().await, [free]);
    assert_eq!(house.catalog.claim(later, &worker()).await.unwrap(), None);
    assert_eq!(house.catalog.claim(older, &worker()).await.unwrap(), None, "claimed before its time");
    assert_eq!(house.catalog.cancel_job(older).await.unwrap(), CancelAnswer::Cancelled);
    assert_eq!(claimable().await, [later, free]);
}

#[rstest]
#[tokio::test]
async fn a_job_is_tried_as_often_as_it_may_be_and_leaving_politely_does_not_count(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let job = house.waiting_job(NewJob { attempts_max: 2, ..new_job(None) }).await;
    let first = house.claimed(job, &worker()).await;
    let polite = house.catalog.put_back(job, first, &lost(), Duration::ZERO, Tally::Free).await.unwrap();
    assert_eq!(polite, PutBack::Waiting);
    assert_eq!(put_back(&house, job, first).await, PutBack::NotCurrent);
    let second = house.claimed(job, &worker()).await;
    assert_eq!(put_back(&house, job, second).await, PutBack::Waiting);
    let waiting = house.catalog.waiting_jobs(1).await.unwrap().remove(0);
    assert_eq!((waiting.id, waiting.attempts), (job, 2));
    let third = house.claimed(job, &worker()).await;
    assert_eq!(third, AttemptNumber(3));
    assert_eq!(put_back(&house, job, third).await, PutBack::Ended);
    let end = JobEnd {
        status: JobStatus::Error,
        code: Some(FailureCode::RunnerLost),
        message: "the worker was lost".into(),
    };
    assert_eq!(end_of(&house, job).await, Some(end));
    assert_eq!(put_back(&house, job, third).await, PutBack::NotCurrent);
    assert_eq!(house.catalog.open_attempts().await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn a_worker_that_was_declared_lost_holds_and_publishes_nothing(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.catalog.sign_on(&worker(), "host-1").await.unwrap();
    let job = house.waiting_job(new_job(None)).await;
    let attempt = house.claimed(job, &worker()).await;
    assert_eq!(house.catalog.beat(&worker()).await.unwrap(), [held(job, attempt)]);
    let seen = house.catalog.beats().await.unwrap().remove(0);
    assert_eq!(seen, Beat { worker: worker(), beat: 2 });
    let open = house.catalog.lose_worker(&seen).await.unwrap().unwrap();
    assert_eq!(open.iter().map(|open| (open.job, open.attempt)).collect::<Vec<_>>(), [(job, attempt)]);
    // Its beat is still told: whoever declared it lost may die before putting anything back.
    assert_eq!(house.catalog.beats().await.unwrap(), std::slice::from_ref(&seen));

    let commit = Commit {
        attempt: Some((job, attempt)),
        end: Some(success()),
        ..of_tables(vec![replace(vec![slice("a", 1)])])
    };
    let refused = house.catalog.commit(&commit).await.unwrap_err();
    assert!(matches!(refused, CommitError::FenceLost { .. }), "{refused}");
    assert!(!house.catalog.end_job(job, attempt, &success(), None).await.unwrap());
    assert!(!house.catalog.progress(job, attempt, Phase::Run, None, None).await.unwrap());
    assert_eq!(house.catalog.beat(&worker()).await.unwrap(), []);

    assert_eq!(put_back(&house, job, attempt).await, PutBack::Waiting);
    let next = house.claimed(job, &second()).await;
    let refused = house.catalog.commit(&commit).await.unwrap_err();
    assert!(matches!(refused, CommitError::FenceLost { .. }), "{refused}");
    let commit = Commit { attempt: Some((job, next)), ..commit };
    house.catalog.commit(&commit).await.unwrap();
    assert_eq!(house.head(&orders()).await.version, VersionNumber(1));
}

#[rstest]
#[tokio::test]
async fn a_worker_that_beat_meanwhile_is_not_lost_and_one_that_holds_nothing_is_forgotten(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    house.catalog.sign_on(&worker(), "host-1").await.unwrap();
    let seen = house.catalog.beats().await.unwrap().remove(0);
    house.catalog.beat(&worker()).await.unwrap();
    assert_eq!(house.catalog.lose_worker(&seen).await.unwrap(), None);
    let seen = house.catalog.beats().await.unwrap().remove(0);
    assert_eq!(house.catalog.lose_worker(&seen).await.unwrap(), Some(vec![]));
    assert_eq!(house.catalog.beats().await.unwrap(), []);
    assert_eq!(house.catalog.lose_worker(&seen).await.unwrap(), Some(vec![]), "two may find it lost");
    // It was only slow: it is known again, by its beat or by a claim.
    house.catalog.beat(&worker()).await.unwrap();
    let job = house.waiting_job(new_job(None)).await;
    let attempt = house.claimed(job, &second()).await;
    let names: Vec<_> = house.catalog.beats().await.unwrap().into_iter().map(|beat| beat.worker).collect();
    assert_eq!(names, [worker(), second()]);
    house.catalog.sign_off(&worker()).await.unwrap();
    house.catalog.sign_off(&second()).await.unwrap();
    let left = house.catalog.beats().await.unwrap();
    assert_eq!(left.len(), 1, "who holds something stays");
    house.catalog.end_job(job, attempt, &success(), None).await.unwrap();
    house.catalog.sign_off(&second()).await.unwrap();
    assert_eq!(house.catalog.beats().await.unwrap(), []);
}

/// Whoever wins, the two agree: a worker that is told it holds the attempt is not lost.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_and_a_loss_at_once_agree_on_who_holds_what(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let observer = house.beside().await;
    for _ in 0..20 {
        let job = house.waiting_job(new_job(None)).await;
        house.catalog.sign_on(&worker(), "host-1").await.unwrap();
        let attempt = house.claimed(job, &worker()).await;
        let seen = house.catalog.beats().await.unwrap().remove(0);
        let worker = worker();
        let (holds, loss) = tokio::join!(house.catalog.beat(&worker), observer.lose_worker(&seen));
        let holds = holds.unwrap();
        match loss.unwrap() {
            None => assert_eq!(holds, [held(job, attempt)]),
            Some(open) => assert_eq!((open.len(), holds), (1, vec![])),
        }
        house.catalog.put_back(job, attempt, &lost(), Duration::ZERO, Tally::Counted).await.unwrap();
        house.catalog.cancel_job(job).await.unwrap();
        house.catalog.sign_off(&worker).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn an_attempt_that_was_taken_over_is_its_new_workers(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.waiting_job(new_job(None)).await;
    let attempt = house.claimed(job, &worker()).await;
    let take =
        async |from: &WorkerId, to: &WorkerId| house.catalog.take_over(job, attempt, from, to).await.unwrap();
    let seen = house.catalog.beats().await.unwrap().remove(0);
    house.catalog.lose_worker(&seen).await.unwrap();
    assert!(!take(&second(), &worker()).await);
    assert!(take(&worker(), &second()).await);
    assert!(!take(&worker(), &second()).await, "taken over twice");
    assert_eq!(house.catalog.beat(&worker()).await.unwrap(), []);
    assert_eq!(house.catalog.beat(&second()).await.unwrap(), [held(job, attempt)]);
    // The attempt's number is the same, so the old worker is told apart by its name.
    let commit = Commit { attempt: Some((job, attempt)), end: Some(success()), ..Commit::default() };
    let frozen = house.catalog.acting_as(worker());
    let refused = frozen.commit(&commit).await.unwrap_err();
    assert!(matches!(refused, CommitError::FenceLost { .. }), "{refused}");
    assert!(!frozen.end_job(job, attempt, &success(), None).await.unwrap());
    house.catalog.acting_as(second()).commit(&commit).await.unwrap();
    assert!(!take(&second(), &worker()).await, "taken over after its end");
}

#[rstest]
#[tokio::test]
async fn a_job_is_called_off_while_it_waits_and_stopped_while_it_runs(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let cancel = async |job| house.catalog.cancel_job(job).await.unwrap();
    let waits = house.waiting_job(new_job(None)).await;
    assert_eq!(cancel(waits).await, CancelAnswer::Cancelled);
    assert_eq!(cancel(waits).await, CancelAnswer::AlreadyDone);
    assert_eq!(house.catalog.claim(waits, &worker()).await.unwrap(), None);
    assert_eq!(end_of(&house, waits).await.unwrap().status, JobStatus::Cancelled);

    let runs = house.waiting_job(new_job(None)).await;
    let attempt = house.claimed(runs, &worker()).await;
    assert_eq!(cancel(runs).await, CancelAnswer::Asked);
    let asked = HeldAttempt { is_cancel_asked: true, ..held(runs, attempt) };
    assert_eq!(house.catalog.beat(&worker()).await.unwrap(), [asked]);
    // Its worker died of it: nobody runs it again.
    assert_eq!(put_back(&house, runs, attempt).await, PutBack::Ended);
    assert_eq!(end_of(&house, runs).await.unwrap().status, JobStatus::Terminated);

    let retried = house.waiting_job(new_job(None)).await;
    let attempt = house.claimed(retried, &worker()).await;
    assert_eq!(put_back(&house, retried, attempt).await, PutBack::Waiting);
    assert_eq!(cancel(retried).await, CancelAnswer::Cancelled);
    assert_eq!(end_of(&house, retried).await.unwrap().status, JobStatus::Terminated);
    let nobody = JobId::fresh();
    let refused = house.catalog.cancel_job(nobody).await.unwrap_err();
    assert!(matches!(refused, CatalogError::NoSuchJob { job } if job == nobody), "{refused}");
}

/// Whoever wins, what both were told is true.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_and_a_cancel_at_once_agree(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let beside = house.beside().await;
    for _ in 0..20 {
        let job = house.waiting_job(new_job(None)).await;
        let worker = worker();
        let (claimed, answer) = tokio::join!(house.catalog.claim(job, &worker), beside.cancel_job(job));
        match (claimed.unwrap(), answer.unwrap()) {
            (Some(_), answer) => assert_eq!(answer, CancelAnswer::Asked),
            (None, answer) => assert_eq!(answer, CancelAnswer::Cancelled),
        }
    }
}

#[rstest]
#[tokio::test]
async fn the_events_of_a_later_attempt_follow_those_of_the_first(#[values(On::Sqlite, On::Postgres)] on: On) {
    use crate::events::{Event, Level, Source};
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    assert_eq!(house.catalog.next_event(job).await.unwrap(), 0);
    let event = |sequence, source| Event {
        sequence,
        time: jiff::Timestamp::UNIX_EPOCH,
        level: Level::Info,
        source,
        message: "line".into(),
        fields: None,
    };
    let said = [Source::Runner, Source::Stdout, Source::Stderr, Source::Stdout, Source::Runner];
    let events: Vec<_> = (0..).zip(said).map(|(sequence, source)| event(sequence, source)).collect();
    house.catalog.add_events(job, &events).await.unwrap();
    assert_eq!(house.catalog.next_event(job).await.unwrap(), 5);
    let since = async |from, source| {
        let counts = house.catalog.events_by_source_since(job, from).await.unwrap();
        counts.into_iter().find(|(counted, _events)| *counted == source).map(|(_source, events)| events)
    };
    assert_eq!(since(0, Source::Stdout).await, Some(2));
    assert_eq!(since(2, Source::Stdout).await, Some(1));
    assert_eq!(since(2, Source::Stderr).await, Some(1));
    assert_eq!(since(3, Source::Stderr).await, None);
}

#[rstest]
#[tokio::test]
async fn every_version_of_a_configuration_stays(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let catalog = &house.catalog;
    let (component, id) = (super::component(), new_job(Some("main")).configuration.unwrap());
    let other = new_job(Some("Other")).configuration.unwrap();
    let put =
        async |document, note| catalog.put_configuration(&component, &id, document, note).await.unwrap();
    assert_eq!(put("a: 1", None).await, 1);
    assert_eq!(put("a: 2", Some("more")).await, 2);
    assert_eq!(put("a: 2", Some("the same")).await, 2);
    assert_eq!(put("a: 1", None).await, 3);
    catalog.put_configuration(&component, &other, "b: 1", None).await.unwrap();
    let history = catalog.configuration_history(&component, &id).await.unwrap();
    let told: Vec<_> =
        history.iter().map(|line| (line.version, line.document.as_str(), line.note.as_deref())).collect();
    assert_eq!(told, [(1, "a: 1", None), (2, "a: 2", Some("more")), (3, "a: 1", None)]);
    let at = async |version| catalog.configuration(&component, &id, version).await.unwrap();
    assert_eq!(at(None).await.as_ref(), history.last());
    assert_eq!(at(Some(2)).await.as_ref(), Some(&history[1]));
    assert_eq!((at(Some(0)).await, at(Some(4)).await), (None, None));
    let newest = catalog.configurations().await.unwrap();
    let newest: Vec<_> = newest.iter().map(|line| (line.id.as_str(), line.version)).collect();
    assert_eq!(newest, [("Other", 1), ("main", 3)]);
}

#[rstest]
#[tokio::test]
async fn a_version_follows_the_one_that_was_read_or_none(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let catalog = &house.catalog;
    let (component, id) = (super::component(), new_job(Some("main")).configuration.unwrap());
    catalog.put_configuration(&component, &id, "a: 1", None).await.unwrap();
    let read = catalog.configuration(&component, &id, None).await.unwrap().unwrap();
    assert!(catalog.follow_configuration(&read, "a: 2", Some("mine")).await.unwrap());
    assert!(catalog.follow_configuration(&read, "a: 2", Some("mine")).await.unwrap(), "asked twice");
    assert!(!catalog.follow_configuration(&read, "a: 3", None).await.unwrap(), "the second is not the first");
    let history = catalog.configuration_history(&component, &id).await.unwrap();
    let told: Vec<_> = history.iter().map(|line| (line.version, line.document.as_str())).collect();
    assert_eq!(told, [(1, "a: 1"), (2, "a: 2")]);
}
