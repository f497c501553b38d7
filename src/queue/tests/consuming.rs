use lapin::BasicProperties;

use super::bench::{Bench, Intake};
use crate::job::Priority;
use crate::queue::{Publisher, depths};

#[tokio::test]
async fn a_submitted_request_comes_once_with_all_it_says() {
    let Some(bench) = Bench::new().await else { return };
    let properties = BasicProperties::default()
        .with_message_id("job-1".into())
        .with_reply_to("answers".into())
        .with_correlation_id("42".into());
    bench.publish("high", b"{}", properties).await;
    let mut intake = bench.intake();
    let delivery = intake.next().await;
    assert_eq!(delivery.body, b"{}");
    assert_eq!(delivery.message_id.as_deref(), Some("job-1"));
    assert_eq!(delivery.reply_to.as_deref(), Some("answers"));
    assert_eq!(delivery.correlation_id.as_deref(), Some("42"));
    assert_eq!(delivery.lane, Priority::High);
    delivery.accept().await.unwrap();
    intake.stop().await;
    let ready: Vec<u32> =
        depths(&bench.options).await.unwrap().into_iter().map(|depth| depth.ready).collect();
    assert_eq!(ready, [0, 0, 0, 0]);
    bench.clear().await;
}

#[tokio::test]
async fn messages_come_in_the_order_of_publication_and_never_more_than_the_prefetch_unanswered() {
    let Some(bench) = Bench::new().await else { return };
    let publisher = Publisher::new(bench.options.clone());
    for number in 0..30 {
        publisher.submit(Priority::Normal, &number.to_string(), b"{}".to_vec()).await.unwrap();
    }
    let mut intake = Intake::of(bench.options.clone(), 3);
    let held = [intake.next().await, intake.next().await, intake.next().await];
    let more = tokio::time::timeout(std::time::Duration::from_millis(200), intake.deliveries.recv()).await;
    assert!(more.is_err(), "a fourth came: {more:?}");
    let ids = held.each_ref().map(|delivery| delivery.message_id.clone().unwrap());
    assert_eq!(ids, ["0", "1", "2"]);
    for delivery in held {
        delivery.accept().await.unwrap();
    }
    for number in 3..30 {
        assert_eq!(intake.next_id().await, number.to_string());
    }
    publisher.close().await;
    intake.stop().await;
    bench.clear().await;
}

#[tokio::test]
async fn what_is_more_urgent_comes_first() {
    let Some(bench) = Bench::new().await else { return };
    let publisher = Publisher::new(bench.options.clone());
    for lane in Priority::ALL {
        for number in 0..5 {
            publisher.submit(lane, &format!("{}-{number}", lane.as_str()), b"{}".to_vec()).await.unwrap();
        }
    }
    publisher.close().await;
    let mut intake = bench.intake();
    intake.is_up().await;
    let mut ids = Vec::new();
    for _message in 0..15 {
        ids.push(intake.next_id().await);
    }
    // The first ones were on their way before the others had arrived; behind them the order is strict.
    let last_high = ids.iter().rposition(|id| id.starts_with("high")).unwrap();
    let first_low = ids.iter().position(|id| id.starts_with("low")).unwrap();
    assert!(last_high < 8 && first_low >= last_high.saturating_sub(2), "{ids:?}");
    intake.stop().await;
    bench.clear().await;
}

#[tokio::test]
async fn one_intake_is_served_at_a_time_and_the_next_goes_on_where_it_stopped() {
    let Some(bench) = Bench::new().await else { return };
    let publisher = Publisher::new(bench.options.clone());
    for number in 0..4 {
        publisher.submit(Priority::Normal, &number.to_string(), b"{}".to_vec()).await.unwrap();
    }
    publisher.close().await;
    let mut first = Intake::of(bench.options.clone(), 2);
    assert_eq!(first.next_id().await, "0");
    let mut second = bench.intake();
    second.is_up().await;
    assert_eq!(first.next_id().await, "1");
    // Handed over and not answered: it is the next one's.
    let unanswered = first.next().await;
    assert_eq!(unanswered.message_id.as_deref(), Some("2"));
    drop(unanswered);
    first.stop().await;
    assert_eq!(second.next_id().await, "2");
    assert_eq!(second.next_id().await, "3");
    second.stop().await;
    bench.clear().await;
}

#[tokio::test]
async fn the_end_waits_for_the_answers_to_what_was_handed_over() {
    let Some(bench) = Bench::new().await else { return };
    let publisher = Publisher::new(bench.options.clone());
    publisher.submit(Priority::Normal, "1", b"{}".to_vec()).await.unwrap();
    publisher.close().await;
    let mut intake = bench.intake();
    let delivery = intake.next().await;
    intake.ask_to_stop();
    delivery.accept().await.unwrap();
    intake.stop().await;
    assert_eq!(depths(&bench.options).await.unwrap()[1].ready, 0);
    bench.clear().await;
}
