//! A message in our hands, and the two answers to it.

use std::fmt;

use jiff::Timestamp;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Acker, BasicProperties};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::link::{ANSWER_LIMIT, answered};
use super::{Publisher, QueueError};
use crate::job::Priority;

/// Why a message is among the dead letters, and where it had been.
pub(super) const REASON: &str = "longshore-reason";
pub(super) const QUEUE: &str = "longshore-queue";
/// RFC 3339.
pub(super) const TIME: &str = "longshore-time";
/// What these two properties said, which have effects that a dead letter must not have: the broker refuses somebody
/// else's user id, and would let the letter expire.
const USER_ID: &str = "longshore-user-id";
const EXPIRATION: &str = "longshore-expiration";

/// How often the broker delivered it, which it says of a quorum queue's messages.
pub(super) const DELIVERY_COUNT: &str = "x-delivery-count";

/// All headers of a message must fit into one frame, beside those that it brought.
const REASON_BYTES_MAX: usize = 8 * 1024;

/// A message as it came. Dropped without an answer it goes back to the queue when the session ends.
pub(crate) struct Delivery {
    pub(crate) body: Vec<u8>,
    pub(crate) message_id: Option<String>,
    pub(crate) reply_to: Option<String>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) lane: Priority,
    origin: Origin,
}

/// Where a message came from and how it is answered.
struct Origin {
    acker: Acker,
    properties: BasicProperties,
    queue: ShortString,
    dead: ShortString,
    publisher: Publisher,
    /// While it lives, a session that ends waits for the answer.
    _pending: TaskTrackerToken,
}

// Bodies hold secrets, which must not reach a log by way of `{:?}`.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message_id", &self.message_id)
            .field("lane", &self.lane)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What all deliveries of a session share.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) dead: ShortString,
    pub(super) publisher: Publisher,
    pub(super) pending: tokio_util::task::TaskTracker,
}

impl Desk {
    pub(super) fn delivery(
        &self,
        message: lapin::message::Delivery,
        lane: Priority,
        queue: ShortString,
    ) -> Delivery {
        let text = |property: &Option<ShortString>| property.as_ref().map(ToString::to_string);
        let properties = message.properties;
        Delivery {
            body: message.data,
            message_id: text(properties.message_id()),
            reply_to: text(properties.reply_to()),
            correlation_id: text(properties.correlation_id()),
            lane,
            origin: Origin {
                acker: message.acker,
                properties,
                queue,
                dead: self.dead.clone(),
                publisher: self.publisher.clone(),
                _pending: self.pending.token(),
            },
        }
    }
}

impl Delivery {
    /// The job is recorded: the broker may forget the message. An error means that it will come again.
    pub(crate) async fn accept(self) -> Result<(), QueueError> {
        acknowledge(&self.origin.acker).await
    }

    /// Puts the message, with the reason, into the dead-letter queue (confirmed), then forgets it here.
    pub(crate) async fn refuse(self, reason: &str) -> Result<(), QueueError> {
        let origin = self.origin;
        let properties = obituary(&origin.properties, &origin.queue, reason);
        let key = self.lane.as_str().into();
        origin.publisher.send_to_somebody(origin.dead, key, self.body, properties).await?;
        acknowledge(&origin.acker).await
    }
}

pub(super) async fn acknowledge(acker: &Acker) -> Result<(), QueueError> {
    let asking = acker.ack(BasicAckOptions::default());
    match answered("answering a message", ANSWER_LIMIT, asking).await {
        Ok(true) => Ok(()),
        // The library knows that the channel has ended, or learns it just now.
        Ok(false) | Err(QueueError::Broken { .. }) => Err(QueueError::SessionOver),
        Err(error) => Err(error),
    }
}

/// The headers of a message but those.
pub(super) fn without(properties: &BasicProperties, names: &[&str]) -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        if !names.contains(&name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers
}

/// The message's own properties, and why it died.
fn obituary(properties: &BasicProperties, queue: &ShortString, reason: &str) -> BasicProperties {
    let mut headers = without(properties, &[DELIVERY_COUNT]);
    let mut say = |name: &str, text: &str| {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    };
    say(REASON, beginning(reason, REASON_BYTES_MAX));
    say(QUEUE, queue.as_str());
    say(TIME, &Timestamp::now().to_string());
    for (name, property) in [(USER_ID, properties.user_id()), (EXPIRATION, properties.expiration())] {
        if let Some(text) = property {
            say(name, text.as_str());
        }
    }
    copied(properties, headers)
}

/// The properties with other headers, without those two that act; there is no way to take them away from a copy.
pub(super) fn copied(properties: &BasicProperties, headers: FieldTable) -> BasicProperties {
    type Set = fn(BasicProperties, ShortString) -> BasicProperties;
    let texts: [(&Option<ShortString>, Set); 8] = [
        (properties.content_type(), BasicProperties::with_content_type),
        (properties.content_encoding(), BasicProperties::with_content_encoding),
        (properties.correlation_id(), BasicProperties::with_correlation_id),
        (properties.reply_to(), BasicProperties::with_reply_to),
        (properties.message_id(), BasicProperties::with_message_id),
        (properties.kind(), BasicProperties::with_type),
        (properties.app_id(), BasicProperties::with_app_id),
        (properties.cluster_id(), BasicProperties::with_cluster_id),
    ];
    let mut copy = BasicProperties::default().with_headers(headers);
    for (text, set) in texts {
        if let Some(text) = text {
            copy = set(copy, text.clone());
        }
    }
    if let Some(mode) = properties.delivery_mode() {
        copy = copy.with_delivery_mode(*mode);
    }
    if let Some(priority) = properties.priority() {
        copy = copy.with_priority(*priority);
    }
    match properties.timestamp() {
        Some(timestamp) => copy.with_timestamp(*timestamp),
        None => copy,
    }
}

/// As much of a text as fits, cut between characters.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or(text)
}
