use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::AMQPValue;

use super::bench::{Bench, PORT, has_broker, options};
use crate::queue::depth::Depth;
use crate::queue::topology::{Names, lane_arguments};
use crate::queue::{Connection, depths, setup};

#[tokio::test]
async fn setup_makes_everything_once() {
    if !has_broker() {
        return;
    }
    let bench = Bench { options: options(PORT) };
    let prefix = bench.options.prefix.clone();
    let said = |end: &str| {
        [
            "exchange P.jobs",
            "exchange P.dead",
            "exchange P.events",
            "queue P.dead",
            "queue P.jobs.high",
            "queue P.jobs.normal",
            "queue P.jobs.low",
        ]
        .map(|what| format!("{} {end}", what.replace('P', &prefix)))
        .to_vec()
    };
    assert_eq!(setup(&bench.options).await.unwrap(), said("made"));
    assert_eq!(setup(&bench.options).await.unwrap(), said("was there"));
    let empty = |queue: &str| Depth { queue: format!("{prefix}.{queue}"), ready: 0, consumers: 0 };
    let expected = ["jobs.high", "jobs.normal", "jobs.low", "dead"].map(empty);
    assert_eq!(depths(&bench.options).await.unwrap(), expected);
    bench.clear().await;
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_named_with_the_argument_and_the_remedy() {
    if !has_broker() {
        return;
    }
    let bench = Bench { options: options(PORT) };
    let prefix = bench.options.prefix.clone();
    let (link, channel) = bench.channel().await;
    let name = format!("{prefix}.jobs.normal");
    let dead = Names::of(&bench.options).dead().unwrap();
    let mut arguments = lane_arguments(&dead);
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(false));
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(name.as_str().into(), durable, arguments).await.unwrap();
    link.close().await;
    let error = setup(&bench.options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "queue {name} exists with another x-single-active-consumer (received 'true' but current is 'false'): let it run empty, delete it, and run `longshore queue setup` again"
        )
    );
    // Deleted as the remedy says, the rest is made.
    let (link, channel) = bench.channel().await;
    channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    link.close().await;
    setup(&bench.options).await.unwrap();
    bench.clear().await;
}

#[tokio::test]
async fn what_is_not_set_up_is_told_with_the_remedy_and_found_when_it_is_made() {
    if !has_broker() {
        return;
    }
    let bench = Bench { options: options(PORT) };
    let queue = format!("{}.jobs.high", bench.options.prefix);
    let missing = format!("queue {queue} does not exist at the broker: `longshore queue setup` makes it");
    assert_eq!(depths(&bench.options).await.unwrap_err().to_string(), missing);
    let mut intake = bench.intake();
    let said = |state: &Connection| match state {
        Connection::Connecting { since_failures, last_error } => {
            *since_failures > 0 && *last_error == missing
        }
        Connection::Up => false,
    };
    intake.reaches(said).await;
    setup(&bench.options).await.unwrap();
    intake.is_up().await;
    intake.stop().await;
    bench.clear().await;
}

#[tokio::test]
async fn nobody_at_the_address_is_told_without_the_password() {
    let mut options = options(1);
    options.url = crate::job::Hidden::new("amqp://me:secret@127.0.0.1:1/jobs");
    let error = setup(&options).await.unwrap_err();
    let said = crate::failure::chain(&error);
    assert!(said.starts_with("cannot connect to the broker at 127.0.0.1:1 (vhost jobs): no broker answers there, see queue.url: "), "{said}");
    assert!(!said.contains("secret"), "{said}");
    assert!(!format!("{options:?}").contains("secret"));
}
