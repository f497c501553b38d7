use rstest::rstest;

use crate::catalog::{Accepted, AcceptedRequest, Begun, NewJob, ReplyAddress};
use crate::job::{AttemptNumber, ComponentId, JobId, JobStatus, Priority};

use super::{House, On, component, new_job, worker};

fn keyed(key: &str) -> NewJob {
    NewJob { key: Some(key.into()), ..new_job(None) }
}

async fn waiting(house: &House) -> Vec<JobId> {
    house.catalog.waiting_jobs(100).await.unwrap().into_iter().map(|job| job.id).collect()
}

#[rstest]
#[tokio::test]
async fn a_request_that_comes_again_is_the_job_that_it_was(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let first = keyed("order-7");
    let same_key = NewJob { request: "{\"other\": 1}".into(), ..keyed("order-7") };
    let same_id = NewJob { id: first.id, ..keyed("order-8") };
    let other = keyed("order-9");
    let jobs = [first.clone(), same_key, same_id, other.clone(), first.clone()];
    let accepted = house.catalog.accept_jobs(&jobs).await.unwrap();
    let known = Accepted::Known(first.id);
    assert_eq!(accepted, [Accepted::New(first.id), known, known, Accepted::New(other.id), known]);
    assert_eq!(house.catalog.accept_jobs(&[]).await.unwrap(), []);
    assert_eq!(waiting(&house).await, [first.id, other.id]);
    let request = house.catalog.request_of(first.id).await.unwrap().unwrap();
    let expected = AcceptedRequest {
        component: component(),
        configuration: None,
        configuration_version: None,
        document: "{}".into(),
    };
    assert_eq!(request, expected);
    assert_eq!(house.catalog.job_of_key("order-7").await.unwrap(), Some(first.id));
    assert_eq!(house.catalog.job_of_key("order-8").await.unwrap(), None);
    assert_eq!(house.catalog.request_of(JobId::fresh()).await.unwrap(), None);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_deliveries_at_once_one_is_new(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let mut deliveries = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let catalog = house.beside().await;
        deliveries.spawn(async move {
            let mut new = Vec::new();
            for number in 0..10 {
                let job = keyed(&format!("order-{number}"));
                new.extend(catalog.accept_jobs(&[job]).await.unwrap());
            }
            new
        });
    }
    let answers: Vec<_> = deliveries.join_all().await.concat();
    let new = answers.iter().filter(|answer| matches!(answer, Accepted::New(_))).count();
    assert_eq!((answers.len(), new, waiting(&house).await.len()), (40, 10, 10));
}

#[rstest]
#[tokio::test]
async fn the_urgent_go_first_and_who_has_waited_an_hour_longer_goes_before_them(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let of = |priority| NewJob { priority, ..new_job(None) };
    let jobs = [Priority::Low, Priority::Normal, Priority::High, Priority::Normal, Priority::Low].map(of);
    house.catalog.accept_jobs(&jobs).await.unwrap();
    let expected = [2, 1, 3, 0, 4].map(|place: usize| jobs[place].id);
    assert_eq!(waiting(&house).await, expected);
    // As if the first low one had come in two hours earlier than it did.
    house.sql("UPDATE jobs SET rank = rank - 7200000000 WHERE number = 1").await;
    assert_eq!(waiting(&house).await, [0, 2, 1, 3, 4].map(|place: usize| jobs[place].id));
    assert_eq!(house.catalog.waiting_jobs(2).await.unwrap().len(), 2);
}

#[rstest]
#[tokio::test]
async fn a_job_run_by_its_own_process_keeps_out_others_of_its_configuration(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let main = new_job(Some("main")).configuration.unwrap();
    let begin = async |component: &ComponentId, configuration| {
        let job = JobId::fresh();
        let begun = house.catalog.begin_job(job, component, configuration, "{}", &worker()).await.unwrap();
        (job, begun)
    };
    let begun = Begun::Attempt(AttemptNumber::FIRST);
    let (running, first) = begin(&component(), Some(&main)).await;
    assert_eq!(first, begun);
    let (refused, second) = begin(&component(), Some(&main)).await;
    assert_eq!(second, Begun::Busy(running));
    assert_eq!(house.catalog.job(refused).await.unwrap(), None);
    // Neither another component's configuration of that name, nor none at all.
    assert_eq!(begin(&ComponentId::parse("acme.other").unwrap(), Some(&main)).await.1, begun);
    assert_eq!(begin(&component(), None).await.1, begun);
    assert_eq!(begin(&component(), None).await.1, begun);
    let waits = house.waiting_job(new_job(Some("later"))).await;
    let later = new_job(Some("later")).configuration.unwrap();
    assert_eq!(begin(&component(), Some(&later)).await.1, Begun::Busy(waits));
    assert_eq!(waiting(&house).await, [waits]);
}

#[rstest]
#[tokio::test]
async fn who_asked_is_told_of_the_end_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let reply = ReplyAddress { reply_to: "answers".into(), correlation_id: Some("7".into()) };
    let asked = house.waiting_job(NewJob { reply: Some(reply.clone()), ..new_job(None) }).await;
    let silent = house.waiting_job(new_job(None)).await;
    let still_waiting = house.waiting_job(new_job(None)).await;
    let untold = async |age| {
        let untold = house.catalog.untold_jobs(std::time::Duration::from_secs(age), 10).await.unwrap();
        untold.into_iter().map(|untold| (untold.job, untold.reply)).collect::<Vec<_>>()
    };
    assert_eq!(untold(0).await, []);
    for job in [asked, silent] {
        let attempt = house.claimed(job, &worker()).await;
        assert!(house.catalog.end_job(job, attempt, &super::success(), None).await.unwrap());
    }
    // What its own process runs is nobody else's to tell.
    let (own, component) = (JobId::fresh(), component());
    house.catalog.begin_job(own, &component, None, "{}", &worker()).await.unwrap();
    house.catalog.end_job(own, AttemptNumber::FIRST, &super::success(), None).await.unwrap();
    assert_eq!(untold(0).await, [(asked, Some(reply)), (silent, None)]);
    assert_eq!(untold(3600).await, []);
    house.catalog.mark_told(asked).await.unwrap();
    assert_eq!(untold(0).await, [(silent, None)]);
    let counts = house.catalog.job_counts().await.unwrap();
    let named = |status: JobStatus, jobs| (status.as_str().to_owned(), String::new(), jobs);
    assert_eq!(counts.by_end, [named(JobStatus::Success, 3), named(JobStatus::Waiting, 1)]);
    let created = house.catalog.job(still_waiting).await.unwrap().unwrap().created;
    assert_eq!(counts.oldest_waiting, Some(created));
}

#[rstest]
#[tokio::test]
async fn a_nul_that_somebody_said_is_kept_as_its_picture(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.waiting_job(NewJob { request: "{\"a\0\": 1}".into(), ..new_job(None) }).await;
    assert_eq!(house.catalog.request_of(job).await.unwrap().unwrap().document, "{\"a\u{2400}\": 1}");
    let attempt = house.claimed(job, &worker()).await;
    let event = crate::events::Event {
        sequence: 0,
        time: jiff::Timestamp::UNIX_EPOCH,
        level: crate::events::Level::Info,
        source: crate::events::Source::Stdout,
        message: "a\0b".into(),
        fields: None,
    };
    house.catalog.add_events(job, &[event]).await.unwrap();
    assert_eq!(house.catalog.events(job, 0, 1).await.unwrap()[0].message, "a\u{2400}b");
    let end = crate::job::JobEnd { message: "no\0".into(), ..super::success() };
    house.catalog.end_job(job, attempt, &end, Some("{\0}")).await.unwrap();
    assert_eq!(house.catalog.job(job).await.unwrap().unwrap().result.as_deref(), Some("{\u{2400}}"));
}
