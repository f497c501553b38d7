//! Dead letters: looking at them, and putting them back.

use jiff::Timestamp;
use lapin::message::Delivery as Message;
use lapin::options::BasicGetOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};

use super::delivery::{DELIVERY_COUNT, QUEUE, REASON, TIME, acknowledge, copied, without};
use super::link::{ANSWER_LIMIT, Link, answered};
use super::topology::{Names, explain, look};
use super::{Publisher, QueueError, QueueOptions};
use crate::job::Priority;

/// Where the broker writes down why it gave up a message, and how often it delivered one.
const DEATHS: &str = "x-death";
const TRACES: [&str; 8] = [
    REASON,
    QUEUE,
    TIME,
    DELIVERY_COUNT,
    DEATHS,
    "x-first-death-reason",
    "x-first-death-queue",
    "x-first-death-exchange",
];

/// A message that cannot become a job.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    pub(crate) message_id: Option<String>,
    pub(crate) lane: Priority,
    pub(crate) reason: String,
    /// The queue it had been in.
    pub(crate) queue: Option<String>,
    /// When it was put away.
    pub(crate) time: Option<Timestamp>,
    /// As it came, secrets included.
    pub(crate) body: Vec<u8>,
}

/// The oldest dead letters, which stay where they are.
pub(crate) async fn dead_letters(
    options: &QueueOptions,
    letters_max: u32,
) -> Result<Vec<DeadLetter>, QueueError> {
    let link = Link::open(options, "dead").await?;
    let mut letters = Vec::new();
    let ended = visit(&link, Names::of(options), letters_max, async |message| {
        letters.push(read(message));
        Ok(())
    });
    let ended = ended.await;
    link.close().await;
    ended.map(|()| letters)
}

/// Puts dead letters back into their lanes: that with this message id, or all there are; returns how many.
pub(crate) async fn requeue(options: &QueueOptions, message_id: Option<&str>) -> Result<u32, QueueError> {
    let link = Link::open(options, "requeue").await?;
    let publisher = Publisher::new(options.clone());
    let names = Names::of(options);
    let mut requeued = 0;
    let ended = visit(&link, names, u32::MAX, async |message| {
        let id = message.properties.message_id().as_ref().map(ShortString::as_str);
        if message_id.is_none() || id == message_id {
            put_back(&publisher, names, message).await?;
            requeued += 1;
        }
        Ok(())
    });
    let ended = ended.await;
    publisher.close().await;
    link.close().await;
    ended.map(|()| requeued)
}

/// Takes as many messages as there are now, at most so many, and none twice. Those that the visitor does not acknowledge
/// go back, in their order, when the connection ends.
async fn visit(
    link: &Link,
    names: Names<'_>,
    messages_max: u32,
    mut visitor: impl AsyncFnMut(Message) -> Result<(), QueueError>,
) -> Result<(), QueueError> {
    let queue = names.dead()?;
    let channel = link.channel().await?;
    let there = look(&channel, &queue).await?.message_count();
    for _message in 0..there.min(messages_max) {
        let Some(message) = take(&channel, &queue).await? else {
            return Ok(());
        };
        visitor(message).await?;
    }
    Ok(())
}

async fn take(channel: &Channel, queue: &ShortString) -> Result<Option<Message>, QueueError> {
    let taking = channel.basic_get(queue.clone(), BasicGetOptions::default());
    let taken = answered("taking a dead letter", ANSWER_LIMIT, taking).await;
    let taken = taken.map_err(|error| explain(error, &format!("queue {queue}")))?;
    Ok(taken.map(|got| got.delivery))
}

/// Into the lane first, then away from the dead: in between it is twice there, and its id makes it one job.
async fn put_back(publisher: &Publisher, names: Names<'_>, message: Message) -> Result<(), QueueError> {
    let key = lane_of(&message).as_str().into();
    let properties = revived(&message.properties);
    publisher.send_to_somebody(names.jobs_exchange()?, key, message.data, properties).await?;
    acknowledge(&message.acker).await
}

/// The message's own properties without the traces of its death.
fn revived(properties: &BasicProperties) -> BasicProperties {
    copied(properties, without(properties, &TRACES))
}

fn read(message: Message) -> DeadLetter {
    let header = |name: &str| message.properties.headers().as_ref()?.inner().get(name);
    let death = header(DEATHS).and_then(newest_death);
    let of_death = |name: &str| text(death?.inner().get(name)?);
    let reason = header(REASON).and_then(text);
    let given_up = || Some(format!("given up by the broker: {}", of_death("reason")?));
    let time = header(TIME).and_then(text).and_then(|time| time.parse().ok());
    let time_of_death = || death?.inner().get("time").and_then(timestamp);
    DeadLetter {
        message_id: message.properties.message_id().as_ref().map(ToString::to_string),
        lane: lane_of(&message),
        reason: reason.or_else(given_up).unwrap_or_else(|| "unknown".to_owned()),
        queue: header(QUEUE).and_then(text).or_else(|| of_death("queue")),
        time: time.or_else(time_of_death),
        body: message.data,
    }
}

/// Dead letters keep the routing key that brought them in, which is the lane's name; who published by a queue's own
/// name is understood too.
fn lane_of(message: &Message) -> Priority {
    let key = message.routing_key.as_str();
    let last = key.rsplit('.').next().unwrap_or(key);
    Priority::parse(last).unwrap_or_default()
}

fn newest_death(deaths: &AMQPValue) -> Option<&FieldTable> {
    deaths.as_array()?.as_slice().first()?.as_field_table()
}

fn text(value: &AMQPValue) -> Option<String> {
    value.as_long_string().map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned())
}

fn timestamp(value: &AMQPValue) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(value.as_timestamp()?).ok()?).ok()
}
