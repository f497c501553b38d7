//! How full the queues are.

use super::link::Link;
use super::topology::{Names, look};
use super::{QueueError, QueueOptions};
use crate::job::Priority;

/// One queue as the broker counts it. Messages that a consumer holds are in no count that the protocol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) queue: String,
    /// Messages that wait to be delivered.
    pub(crate) ready: u32,
    pub(crate) consumers: u32,
}

/// The lanes, the most urgent first, and the dead letters.
pub(crate) async fn depths(options: &QueueOptions) -> Result<Vec<Depth>, QueueError> {
    let link = Link::open(options, "show").await?;
    let counted = count(&link, Names::of(options)).await;
    link.close().await;
    counted
}

async fn count(link: &Link, names: Names<'_>) -> Result<Vec<Depth>, QueueError> {
    let lanes = Priority::ALL.into_iter().rev().map(|lane| names.lane_queue(lane));
    let channel = link.channel().await?;
    let mut depths = Vec::new();
    for name in lanes.chain([names.dead()]) {
        let queue = look(&channel, &name?).await?;
        depths.push(Depth {
            queue: queue.name().to_string(),
            ready: queue.message_count(),
            consumers: queue.consumer_count(),
        });
    }
    Ok(depths)
}
