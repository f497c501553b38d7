//! `RabbitMQ`: topology, consuming, publishing, dead letters. The one room of `lapin`. Knows messages, not jobs.
//!
//! The broker is intake and doorbell: a message is answered as soon as the catalog has its job, and never put back into
//! its queue to wait. `docs/queue.md` describes the topology and what a broken connection does.

mod backoff;
mod consume;
mod dead;
mod delivery;
mod depth;
mod error;
mod lanes;
mod link;
mod outlet;
mod publisher;
mod topology;

use std::path::PathBuf;
use std::time::Duration;

use crate::job::Hidden;

pub(crate) use consume::{Connection, consume};
pub(crate) use dead::{DeadLetter, dead_letters, requeue};
pub(crate) use delivery::Delivery;
pub(crate) use depth::depths;
pub(crate) use error::QueueError;
pub(crate) use publisher::Publisher;
pub(crate) use topology::setup;

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

#[cfg(test)]
mod tests;
