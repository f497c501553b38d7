//! A connection that publishes: one message at a time, each with the broker's confirmation.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

use super::link::{ANSWER_LIMIT, Blocks, Link, answered};
use super::topology::explain;
use super::{QueueError, QueueOptions};

/// A message on its way out.
#[derive(Clone)]
pub(super) struct Letter {
    /// Empty for the exchange that knows every queue by its name.
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
    /// Whether somebody must get it.
    pub(super) is_mandatory: bool,
}

/// What became of a message that the broker took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on disk in every queue that wants it.
    Taken,
    /// Nobody wants it.
    Returned,
}

#[derive(Debug)]
pub(super) struct Outlet {
    link: Link,
    channel: Channel,
    blocks: Blocks,
}

impl Outlet {
    pub(super) async fn open(options: &QueueOptions) -> Result<Self, QueueError> {
        let link = Link::open(options, "publisher").await?;
        let channel = link.channel().await?;
        let asking = channel.confirm_select(ConfirmSelectOptions::default());
        answered("asking for confirmations", ANSWER_LIMIT, asking).await?;
        let blocks = link.blocks();
        Ok(Self { link, channel, blocks })
    }

    /// Whether the broker has said that it takes no messages for now.
    pub(super) fn is_blocked(&self) -> bool {
        self.link.is_blocked()
    }

    /// Publishes and waits for the confirmation. Needs the whole outlet, because a returned message is told apart from
    /// the others only by being the one on its way.
    pub(super) async fn send(&mut self, letter: &Letter) -> Result<Sent, QueueError> {
        let options =
            BasicPublishOptions { mandatory: letter.is_mandatory, ..BasicPublishOptions::default() };
        let publishing = async {
            let (exchange, key) = (letter.exchange.clone(), letter.key.clone());
            let properties = letter.properties.clone();
            self.channel.basic_publish(exchange, key, options, &letter.body, properties).await?.await
        };
        let answer = tokio::select! {
            biased;
            answer = answered("publishing", ANSWER_LIMIT, publishing) => answer,
            () = self.blocks.next() => Err(QueueError::Blocked),
        };
        match answer {
            Ok(Confirmation::Ack(None)) => Ok(Sent::Taken),
            Ok(Confirmation::Ack(Some(_returned))) => Ok(Sent::Returned),
            Ok(Confirmation::Nack(_)) => Err(QueueError::NotTaken { key: letter.key.to_string() }),
            // The channel asked for confirmations, so this is a channel in a state we do not know.
            Ok(Confirmation::NotRequested) => Err(QueueError::SessionOver),
            Err(error) => Err(explain(error, &format!("exchange {}", letter.exchange))),
        }
    }

    /// Whether it may be used for another message after one that ended so.
    pub(super) fn is_good_after(&self, sent: &Result<Sent, QueueError>) -> bool {
        let is_answered = matches!(sent, Ok(_) | Err(QueueError::NotTaken { .. }));
        is_answered && self.channel.status().connected()
    }

    pub(super) async fn close(self) {
        self.link.close().await;
    }
}
