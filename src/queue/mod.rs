//! CONTRACT: RabbitMQ: topology, consuming, publishing, dead letters. The one room of `lapin`. Knows messages, not jobs.
#![allow(dead_code, unused_variables, clippy::unused_async, reason = "skeleton")]

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::job::{Hidden, Priority};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueOptions {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`
    pub(crate) url: Hidden,
    /// A certificate authority of one's own for `amqps`.
    pub(crate) ca_file: Option<PathBuf>,
    /// What all names of the topology begin with.
    pub(crate) prefix: String,
    pub(crate) heartbeat: Duration,
    /// Publish every change of a job's state to the topic exchange.
    pub(crate) publish_events: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("skeleton")]
    Skeleton,
}

/// A message as it came. Dropped without an answer it goes back to the queue when the session ends.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) body: Vec<u8>,
    pub(crate) message_id: Option<String>,
    pub(crate) reply_to: Option<String>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) lane: Priority,
}

impl Delivery {
    /// The job is recorded: the broker may forget the message. An error means that it will come again.
    pub(crate) async fn accept(self) -> Result<(), QueueError> {
        unimplemented!()
    }

    /// Puts the message, with the reason, into the dead-letter queue (confirmed), then forgets it here.
    pub(crate) async fn refuse(self, reason: &str) -> Result<(), QueueError> {
        unimplemented!()
    }
}

/// How the connection to the broker is, for health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Connection {
    Connecting { since_failures: u32, last_error: String },
    Up,
}

/// Consumes all lanes until `stop`, reconnecting with backoff; messages that were handed over in vain are delivered
/// again. Never more than `prefetch` unanswered. Returns when the consumers are cancelled and the connection closed.
pub(crate) async fn consume(
    options: &QueueOptions,
    prefetch: u16,
    deliveries: mpsc::Sender<Delivery>,
    state: &watch::Sender<Connection>,
    stop: &CancellationToken,
) {
    unimplemented!()
}

/// Publishes with confirms, on a connection of its own that is made when needed and again after it broke. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {}

impl Publisher {
    pub(crate) fn new(options: QueueOptions) -> Self {
        unimplemented!()
    }

    /// Puts a job request into the lane's queue; returns when the broker has it on disk.
    pub(crate) async fn submit(
        &self,
        lane: Priority,
        message_id: &str,
        body: Vec<u8>,
    ) -> Result<(), QueueError> {
        unimplemented!()
    }

    /// Sends a result document to who asked for it. A queue that is gone is no error: nobody listens any more.
    pub(crate) async fn reply(
        &self,
        reply_to: &str,
        correlation_id: Option<&str>,
        message_id: &str,
        body: Vec<u8>,
    ) -> Result<(), QueueError> {
        unimplemented!()
    }

    /// To the topic exchange, routing key `job.<component>.<state>`; nothing where settings do not ask for events.
    pub(crate) async fn event(&self, component: &str, state: &str, body: Vec<u8>) -> Result<(), QueueError> {
        unimplemented!()
    }
}

/// Makes the topology, or checks that it is there as it should be; says what it made or found.
pub(crate) async fn setup(options: &QueueOptions) -> Result<Vec<String>, QueueError> {
    unimplemented!()
}
