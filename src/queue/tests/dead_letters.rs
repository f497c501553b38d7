use futures_util::StreamExt;
use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use tokio::time::timeout;

use super::bench::{Bench, PATIENCE};
use crate::job::Priority;
use crate::queue::topology::Names;
use crate::queue::{dead_letters, depths, requeue};

fn headers(entries: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), AMQPValue::LongString(LongString::from(*value)));
    }
    table
}

#[tokio::test]
async fn a_refused_message_keeps_body_properties_and_reason() {
    let Some(bench) = Bench::new().await else { return };
    let kept = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_correlation_id("42".into())
        .with_reply_to("answers".into())
        .with_message_id("job-1".into())
        .with_type("their-own".into())
        .with_app_id("orchestrator".into())
        .with_priority(3)
        .with_timestamp(1_700_000_000);
    let properties = kept
        .clone()
        .with_user_id("guest".into())
        .with_expiration("3600000".into())
        .with_headers(headers(&[("trace", "abc")]));
    bench.publish("low", b"\xff\x00 not a request", properties).await;
    let mut intake = bench.intake();
    let before = Timestamp::now();
    intake.next().await.refuse("message: a job request is a JSON object").await.unwrap();
    intake.stop().await;

    let (link, channel) = bench.channel().await;
    let dead = Names::of(&bench.options).dead().unwrap();
    let got = channel.basic_get(dead.clone(), BasicGetOptions::default()).await.unwrap().unwrap().delivery;
    assert_eq!(got.data, b"\xff\x00 not a request");
    let mut found = got.properties.headers().clone().unwrap();
    let time = found.inner().get("longshore-time").unwrap().as_long_string().unwrap();
    let time: Timestamp = time.to_string().parse().unwrap();
    assert!(before <= time && time <= Timestamp::now(), "{time}");
    found.insert("longshore-time".into(), AMQPValue::Void);
    // The dead-letter queue's own count.
    found.insert("x-delivery-count".into(), AMQPValue::Void);
    let mut expected = headers(&[
        ("longshore-expiration", "3600000"),
        ("longshore-queue", &format!("{}.jobs.low", bench.options.prefix)),
        ("longshore-reason", "message: a job request is a JSON object"),
        ("longshore-user-id", "guest"),
        ("trace", "abc"),
    ]);
    expected.insert("longshore-time".into(), AMQPValue::Void);
    expected.insert("x-delivery-count".into(), AMQPValue::Void);
    assert_eq!(found, expected);
    let headers = got.properties.headers().clone().unwrap();
    assert_eq!(got.properties, kept.with_headers(headers));
    link.close().await;

    let letters = dead_letters(&bench.options, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.message_id.as_deref(), Some("job-1"));
    assert_eq!(letter.lane, Priority::Low);
    assert_eq!(letter.reason, "message: a job request is a JSON object");
    assert_eq!(letter.queue, Some(format!("{}.jobs.low", bench.options.prefix)));
    assert_eq!(letter.time, Some(time));
    assert_eq!(letter.body, b"\xff\x00 not a request");
    bench.clear().await;
}

#[tokio::test]
async fn dead_letters_go_back_into_their_lanes_as_they_came() {
    let Some(bench) = Bench::new().await else { return };
    for (key, id) in [("high", "a"), ("normal", "b"), ("low", "c")] {
        let properties =
            BasicProperties::default().with_message_id(id.into()).with_headers(headers(&[("trace", id)]));
        bench.publish(key, id.as_bytes(), properties).await;
    }
    let mut intake = bench.intake();
    for _message in 0..3 {
        intake.next().await.refuse("no").await.unwrap();
    }
    intake.stop().await;
    let count = async || {
        let depths = depths(&bench.options).await.unwrap();
        depths.into_iter().map(|depth| depth.ready).collect::<Vec<_>>()
    };
    assert_eq!(count().await, [0, 0, 0, 3]);
    assert_eq!(requeue(&bench.options, Some("nobody")).await.unwrap(), 0);
    assert_eq!(requeue(&bench.options, Some("b")).await.unwrap(), 1);
    assert_eq!(count().await, [0, 1, 0, 2]);
    assert_eq!(requeue(&bench.options, None).await.unwrap(), 2);
    assert_eq!(count().await, [1, 1, 1, 0]);

    let lane = Names::of(&bench.options).lane_queue(Priority::Low).unwrap();
    let (link, mut consumer) = bench.consumer(lane).await;
    let got = consumer.next().await.unwrap().unwrap();
    assert_eq!(got.data, b"c");
    let expected =
        BasicProperties::default().with_message_id("c".into()).with_headers(headers(&[("trace", "c")]));
    assert_eq!(got.properties, expected);
    link.close().await;
    bench.clear().await;
}

#[tokio::test]
async fn what_the_broker_gives_up_is_among_the_dead_letters_with_its_reason() {
    let Some(bench) = Bench::new().await else { return };
    bench.publish("normal", b"{}", BasicProperties::default().with_message_id("poison".into())).await;
    let lane = Names::of(&bench.options).lane_queue(Priority::Normal).unwrap();
    let (link, mut consumer) = bench.consumer(lane.clone()).await;
    let mut deliveries = 0;
    // As a worker that dies of it each time would.
    let until_given_up = async {
        loop {
            let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            consumer.next().await.unwrap().unwrap().acker.nack(again).await.unwrap();
            deliveries += 1;
        }
    };
    let waiting = async { while depths(&bench.options).await.unwrap()[3].ready == 0 {} };
    tokio::select! {
        () = until_given_up => {}
        waited = timeout(PATIENCE, waiting) => waited.expect("the broker never gives up"),
    }
    assert_eq!(deliveries, 21);
    link.close().await;
    let letters = dead_letters(&bench.options, 10).await.unwrap();
    assert_eq!(letters[0].reason, "given up by the broker: delivery_limit");
    assert_eq!(letters[0].message_id.as_deref(), Some("poison"));
    assert_eq!(letters[0].queue, Some(lane.to_string()));
    assert!(letters[0].time.is_some());
    bench.clear().await;
}
