//! Exchanges and queues at the broker: their names, their arguments, and making them.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

use super::error::{NOT_FOUND, PRECONDITION_FAILED, refusal, short};
use super::link::{ANSWER_LIMIT, Link, answered};
use super::{QueueError, QueueOptions};
use crate::job::Priority;

/// A message is with a worker for no longer than the catalog needs to record it, so one that was lost with its worker so
/// often is likely to be the reason. Said explicitly, because brokers before 4.0 have no limit and later ones this.
const DELIVERY_LIMIT: i32 = 20;

/// Looking at dead letters counts as delivering them, and that must not be how they end. As good as never.
const DEAD_DELIVERY_LIMIT: i32 = 1_000_000_000;

/// The names of one topology.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    prefix: &'a str,
}

impl<'a> Names<'a> {
    pub(super) fn of(options: &'a QueueOptions) -> Self {
        Self { prefix: &options.prefix }
    }

    fn named(self, part: &str) -> Result<ShortString, QueueError> {
        short("a name at the broker", &format!("{}.{part}", self.prefix))
    }

    /// Takes jobs, by lane.
    pub(super) fn jobs_exchange(self) -> Result<ShortString, QueueError> {
        self.named("jobs")
    }

    pub(super) fn lane_queue(self, lane: Priority) -> Result<ShortString, QueueError> {
        self.named(&format!("jobs.{}", lane.as_str()))
    }

    /// Exchange and queue of the dead letters.
    pub(super) fn dead(self) -> Result<ShortString, QueueError> {
        self.named("dead")
    }

    pub(super) fn events_exchange(self) -> Result<ShortString, QueueError> {
        self.named("events")
    }
}

/// Makes the topology, or checks that it is there as it should be; says what it made or found.
pub(crate) async fn setup(options: &QueueOptions) -> Result<Vec<String>, QueueError> {
    let link = Link::open(options, "setup").await?;
    let made = make(&link, Names::of(options)).await;
    link.close().await;
    made
}

async fn make(link: &Link, names: Names<'_>) -> Result<Vec<String>, QueueError> {
    let (jobs, dead, events) = (names.jobs_exchange()?, names.dead()?, names.events_exchange()?);
    let mut said = Vec::new();
    for (name, kind) in
        [(&jobs, ExchangeKind::Direct), (&dead, ExchangeKind::Fanout), (&events, ExchangeKind::Topic)]
    {
        said.push(make_exchange(link, name, kind).await?);
    }
    said.push(make_queue(link, &dead, dead_arguments()).await?);
    bind(link, &dead, &dead, "".into()).await?;
    for lane in Priority::ALL.into_iter().rev() {
        let queue = names.lane_queue(lane)?;
        said.push(make_queue(link, &queue, lane_arguments(&dead)).await?);
        bind(link, &queue, &jobs, lane.as_str().into()).await?;
    }
    Ok(said)
}

/// Jobs are taken by one consumer at a time, so that they are accepted in the order of publication. What a queue gives
/// up goes to the dead letters, at least once; that wants `reject-publish` beside it.
pub(super) fn lane_arguments(dead: &ShortString) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-dead-letter-exchange".into(), text(dead.as_str()));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments
}

fn dead_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DEAD_DELIVERY_LIMIT));
    arguments
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

async fn make_exchange(link: &Link, name: &ShortString, kind: ExchangeKind) -> Result<String, QueueError> {
    let what = format!("exchange {name}");
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let passive = ExchangeDeclareOptions { passive: true, ..options };
    let channel = link.channel().await?;
    let looking = channel.exchange_declare(name.clone(), kind.clone(), passive, FieldTable::default());
    let is_there = is_there(answered("looking for an exchange", ANSWER_LIMIT, looking).await)?;
    let channel = link.channel().await?;
    let making = channel.exchange_declare(name.clone(), kind, options, FieldTable::default());
    answered("making an exchange", ANSWER_LIMIT, making).await.map_err(|error| explain(error, &what))?;
    Ok(told(&what, is_there))
}

async fn make_queue(link: &Link, name: &ShortString, arguments: FieldTable) -> Result<String, QueueError> {
    let what = format!("queue {name}");
    let channel = link.channel().await?;
    let is_there = is_there(look(&channel, name).await.map(drop))?;
    let channel = link.channel().await?;
    let making = channel.queue_declare(name.clone(), QueueDeclareOptions::durable(), arguments);
    answered("making a queue", ANSWER_LIMIT, making).await.map_err(|error| explain(error, &what))?;
    Ok(told(&what, is_there))
}

/// Asks about a queue without making it. The channel is of no use any more when there is none.
pub(super) async fn look(channel: &Channel, queue: &ShortString) -> Result<lapin::Queue, QueueError> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let looking = channel.queue_declare(queue.clone(), passive, FieldTable::default());
    let looked = answered("looking for a queue", ANSWER_LIMIT, looking).await;
    looked.map_err(|error| explain(error, &format!("queue {queue}")))
}

async fn bind(
    link: &Link,
    queue: &ShortString,
    exchange: &ShortString,
    key: ShortString,
) -> Result<(), QueueError> {
    let channel = link.channel().await?;
    let options = QueueBindOptions::default();
    let binding = channel.queue_bind(queue.clone(), exchange.clone(), key, options, FieldTable::default());
    answered("binding a queue", ANSWER_LIMIT, binding).await
}

fn is_there(looked: Result<(), QueueError>) -> Result<bool, QueueError> {
    match looked {
        Ok(()) => Ok(true),
        Err(QueueError::Missing { .. }) => Ok(false),
        Err(QueueError::Broken { source, .. }) if is_missing(&source) => Ok(false),
        Err(error) => Err(error),
    }
}

fn told(what: &str, is_there: bool) -> String {
    format!("{what} {}", if is_there { "was there" } else { "made" })
}

fn is_missing(error: &lapin::Error) -> bool {
    refusal(error).is_some_and(|(code, _words)| code == NOT_FOUND)
}

/// Tells what the broker refused in our words, where we know what it means.
pub(super) fn explain(error: QueueError, what: &str) -> QueueError {
    let QueueError::Broken { source, .. } = &error else {
        return error;
    };
    match refusal(source) {
        Some((NOT_FOUND, _words)) => QueueError::Missing { what: what.to_owned() },
        Some((PRECONDITION_FAILED, words)) => match other_argument(words) {
            Some((argument, difference)) => {
                QueueError::OtherArguments { what: what.to_owned(), argument, difference }
            }
            None => error,
        },
        Some(_) | None => error,
    }
}

/// Out of `… inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received … but current is …`.
fn other_argument(words: &str) -> Option<(String, String)> {
    let (_before, rest) = words.split_once("inequivalent arg '")?;
    let (argument, rest) = rest.split_once('\'')?;
    let difference = rest.split_once("': ").map_or(rest, |(_where, difference)| difference);
    Some((argument.to_owned(), difference.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_words_about_another_argument_are_taken_apart() {
        let words = "PRECONDITION_FAILED - inequivalent arg 'x-overflow' for queue 'a.jobs.low' in vhost '/': received the value 'reject-publish' of type 'longstr' but current is none";
        let expected = (
            "x-overflow".to_owned(),
            "received the value 'reject-publish' of type 'longstr' but current is none".to_owned(),
        );
        assert_eq!(other_argument(words), Some(expected));
        assert_eq!(other_argument("PRECONDITION_FAILED - unknown delivery tag 1"), None);
    }
}
