//! The consumers of one session: three lanes, one stream of deliveries.

use futures_util::StreamExt;
use lapin::message::Delivery as Message;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::delivery::Desk;
use super::link::{ANSWER_LIMIT, Link, answered};
use super::topology::{Names, explain};
use super::{Delivery, QueueError};
use crate::job::Priority;

#[derive(Debug)]
pub(super) struct Lanes {
    channel: Channel,
    high: Consumer,
    normal: Consumer,
    low: Consumer,
}

/// What ended the wait for a message.
enum Wake {
    Stop,
    /// The stream's next item; `None` is its end.
    Came(Priority, Option<lapin::Result<Box<Message>>>),
}

impl Wake {
    fn came(lane: Priority, item: Option<lapin::Result<Message>>) -> Self {
        Self::Came(lane, item.map(|item| item.map(Box::new)))
    }
}

impl Lanes {
    /// Begins to consume every lane, each with at most `prefetch` messages unanswered.
    pub(super) async fn open(link: &Link, names: Names<'_>, prefetch: u16) -> Result<Self, QueueError> {
        let channel = link.channel().await?;
        // 0 would be no limit at all.
        let asking = channel.basic_qos(prefetch.max(1), BasicQosOptions::default());
        answered("limiting what comes", ANSWER_LIMIT, asking).await?;
        let high = open_lane(&channel, names, Priority::High).await?;
        let normal = open_lane(&channel, names, Priority::Normal).await?;
        let low = open_lane(&channel, names, Priority::Low).await?;
        Ok(Self { channel, high, normal, low })
    }

    /// Hands over what comes, the more urgent first, until `stop` or until nobody takes it any more.
    pub(super) async fn forward(
        &mut self,
        desk: &Desk,
        deliveries: &mpsc::Sender<Delivery>,
        stop: &CancellationToken,
    ) -> Result<(), QueueError> {
        loop {
            // A place first: what waits for one would be held back from a more urgent message.
            let Some(Ok(place)) = stop.run_until_cancelled(deliveries.reserve()).await else {
                return Ok(());
            };
            let wake = tokio::select! {
                biased;
                () = stop.cancelled() => Wake::Stop,
                item = self.high.next() => Wake::came(Priority::High, item),
                item = self.normal.next() => Wake::came(Priority::Normal, item),
                item = self.low.next() => Wake::came(Priority::Low, item),
            };
            let (lane, item) = match wake {
                Wake::Stop => return Ok(()),
                Wake::Came(lane, item) => (lane, item),
            };
            let queue = self.consumer(lane).queue();
            match item {
                Some(Ok(message)) => place.send(desk.delivery(*message, lane, queue)),
                Some(Err(source)) => return Err(QueueError::Broken { doing: "consuming", source }),
                None => return Err(QueueError::ConsumerCancelled { queue: queue.to_string() }),
            }
        }
    }

    /// Takes no more messages. What was not handed over goes back when the session ends.
    pub(super) async fn cancel(&self) -> Result<(), QueueError> {
        for lane in Priority::ALL {
            let tag = self.consumer(lane).tag();
            let asking = self.channel.basic_cancel(tag, BasicCancelOptions::default());
            answered("cancelling a consumer", ANSWER_LIMIT, asking).await?;
        }
        Ok(())
    }

    fn consumer(&self, lane: Priority) -> &Consumer {
        match lane {
            Priority::Low => &self.low,
            Priority::Normal => &self.normal,
            Priority::High => &self.high,
        }
    }
}

async fn open_lane(channel: &Channel, names: Names<'_>, lane: Priority) -> Result<Consumer, QueueError> {
    let queue = names.lane_queue(lane)?;
    let what = format!("queue {queue}");
    // The broker chooses the consumer's name.
    let asking =
        channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default());
    answered("consuming", ANSWER_LIMIT, asking).await.map_err(|error| explain(error, &what))
}
