use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use super::bench::{Bench, PORT, has_broker, options};
use crate::job::Priority;
use crate::queue::topology::Names;
use crate::queue::{Publisher, QueueError, QueueOptions};

/// A queue of a listener's own.
async fn listen(channel: &lapin::Channel) -> String {
    let exclusive = QueueDeclareOptions::exclusive();
    channel.queue_declare("".into(), exclusive, FieldTable::default()).await.unwrap().name().to_string()
}

async fn heard(channel: &lapin::Channel, queue: &str) -> Delivery {
    channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap().expect("nothing came").delivery
}

/// The properties that do not change from one message to the next.
fn lasting(properties: &BasicProperties) -> BasicProperties {
    assert!(properties.timestamp().is_some());
    properties.clone().with_timestamp(0)
}

fn ours(kind: &str) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_type(kind.into())
        .with_app_id("longshore".into())
        .with_timestamp(0)
}

#[tokio::test]
async fn a_reply_arrives_with_its_correlation_and_one_to_nobody_is_no_error() {
    let Some(bench) = Bench::new().await else { return };
    let publisher = Publisher::new(bench.options.clone());
    let (link, channel) = bench.channel().await;
    let queue = listen(&channel).await;
    publisher.reply(&queue, Some("42"), "job-1", b"{\"status\":1}".to_vec()).await.unwrap();
    let got = heard(&channel, &queue).await;
    assert_eq!(got.data, b"{\"status\":1}");
    let expected = ours("longshore.result").with_message_id("job-1".into()).with_correlation_id("42".into());
    assert_eq!(lasting(&got.properties), expected);
    link.close().await;
    publisher.reply("nobody.listens", None, "job-1", b"{}".to_vec()).await.unwrap();
    publisher.reply(&queue, None, "job-1", b"{}".to_vec()).await.unwrap();
    publisher.close().await;
    bench.clear().await;
}

#[tokio::test]
async fn events_reach_who_asked_for_them_by_component_and_state() {
    let Some(bench) = Bench::new().await else { return };
    let publisher = Publisher::new(bench.options.clone());
    let (link, channel) = bench.channel().await;
    let queue = listen(&channel).await;
    let exchange = Names::of(&bench.options).events_exchange().unwrap();
    let bind = QueueBindOptions::default();
    channel
        .queue_bind(queue.as_str().into(), exchange, "job.#.success".into(), bind, FieldTable::default())
        .await
        .unwrap();
    publisher.event("acme.top-customers", "processing", b"1".to_vec()).await.unwrap();
    publisher.event("acme.top-customers", "success", b"2".to_vec()).await.unwrap();
    let got = heard(&channel, &queue).await;
    assert_eq!(
        (got.routing_key.as_str(), got.data.as_slice()),
        ("job.acme.top-customers.success", &b"2"[..])
    );
    assert_eq!(lasting(&got.properties), ours("longshore.event"));
    assert!(channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await.unwrap().is_none());
    link.close().await;
    publisher.close().await;
    bench.clear().await;
}

#[tokio::test]
async fn events_that_settings_do_not_ask_for_need_no_broker() {
    let publisher = Publisher::new(QueueOptions { publish_events: false, ..options(1) });
    publisher.event("acme.top-customers", "success", Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_request_that_nobody_takes_is_an_error_with_the_remedy() {
    if !has_broker() {
        return;
    }
    let bench = Bench { options: options(PORT) };
    let publisher = Publisher::new(bench.options.clone());
    let submit = async || publisher.submit(Priority::Normal, "1", b"{}".to_vec()).await;
    let prefix = &bench.options.prefix;
    assert_eq!(
        submit().await.unwrap_err().to_string(),
        format!("exchange {prefix}.jobs does not exist at the broker: `longshore queue setup` makes it")
    );
    crate::queue::setup(&bench.options).await.unwrap();
    submit().await.unwrap();
    let (link, channel) = bench.channel().await;
    channel
        .queue_delete(format!("{prefix}.jobs.normal").into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    link.close().await;
    assert_eq!(
        submit().await.unwrap_err().to_string(),
        format!(
            "no queue takes messages of exchange {prefix}.jobs for normal: `longshore queue setup` makes it"
        )
    );
    // The connection is as good as before.
    publisher.submit(Priority::High, "2", b"{}".to_vec()).await.unwrap();
    publisher.close().await;
    crate::queue::setup(&bench.options).await.unwrap();
    bench.clear().await;
}

#[tokio::test]
async fn names_that_the_protocol_cannot_carry_are_errors() {
    let publisher = Publisher::new(options(1));
    let long = "x".repeat(256);
    let error = publisher.submit(Priority::Normal, &long, Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "the message id has 256 bytes, and a broker takes no more than 255");
    let error = publisher.reply(&long, None, "1", Vec::new()).await.unwrap_err();
    assert!(matches!(error, QueueError::TooLong { what: "the reply address", bytes: 256 }), "{error}");
}
