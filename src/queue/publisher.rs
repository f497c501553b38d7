//! Publishing: job requests, results, events, dead letters.

use std::sync::Arc;

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::ShortString;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::error::short;
use super::link::ANSWER_LIMIT;
use super::outlet::{Letter, Outlet, Sent};
use super::topology::Names;
use super::{QueueError, QueueOptions};
use crate::job::Priority;

/// Written to disk by the broker.
const PERSISTENT: u8 = 2;

/// Publishes with confirms, on a connection of its own that is made when needed and again after it broke. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    options: Arc<QueueOptions>,
    /// One message at a time; whoever publishes has the outlet meanwhile.
    outlet: Arc<Mutex<Option<Outlet>>>,
}

impl Publisher {
    pub(crate) fn new(options: QueueOptions) -> Self {
        Self { options: Arc::new(options), outlet: Arc::default() }
    }

    /// Puts a job request into the lane's queue; returns when the broker has it on disk.
    pub(crate) async fn submit(
        &self,
        lane: Priority,
        message_id: &str,
        body: Vec<u8>,
    ) -> Result<(), QueueError> {
        let exchange = Names::of(&self.options).jobs_exchange()?;
        let properties = ours("longshore.job-request").with_message_id(short("the message id", message_id)?);
        self.send_to_somebody(exchange, lane.as_str().into(), body, properties).await
    }

    /// Sends a result document to who asked for it. A queue that is gone is no error: nobody listens any more.
    pub(crate) async fn reply(
        &self,
        reply_to: &str,
        correlation_id: Option<&str>,
        message_id: &str,
        body: Vec<u8>,
    ) -> Result<(), QueueError> {
        let mut properties = ours("longshore.result").with_message_id(short("the message id", message_id)?);
        if let Some(correlation_id) = correlation_id {
            properties = properties.with_correlation_id(short("the correlation id", correlation_id)?);
        }
        let key = short("the reply address", reply_to)?;
        let letter = Letter { exchange: "".into(), key, body, properties, is_mandatory: true };
        self.send(letter).await.map(drop)
    }

    /// To the topic exchange, routing key `job.<component>.<state>`; nothing where settings do not ask for events.
    pub(crate) async fn event(&self, component: &str, state: &str, body: Vec<u8>) -> Result<(), QueueError> {
        if !self.options.publish_events {
            return Ok(());
        }
        let exchange = Names::of(&self.options).events_exchange()?;
        let key = short("the event's name", &format!("job.{component}.{state}"))?;
        let properties = ours("longshore.event");
        self.send(Letter { exchange, key, body, properties, is_mandatory: false }).await.map(drop)
    }

    /// Ends the connection politely. The next message would open another.
    pub(crate) async fn close(&self) {
        let outlet = self.outlet.lock().await.take();
        if let Some(outlet) = outlet {
            outlet.close().await;
        }
    }

    /// Publishes a message that must not get lost.
    pub(super) async fn send_to_somebody(
        &self,
        exchange: ShortString,
        key: ShortString,
        body: Vec<u8>,
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let (to, lane) = (exchange.to_string(), key.to_string());
        match self.send(Letter { exchange, key, body, properties, is_mandatory: true }).await? {
            Sent::Taken => Ok(()),
            Sent::Returned => Err(QueueError::Unroutable { exchange: to, key: lane }),
        }
    }

    /// Publishes on the connection there is, and once more on a new one where that has broken: whoever gets a message
    /// twice knows it by its id.
    async fn send(&self, letter: Letter) -> Result<Sent, QueueError> {
        let locking = timeout(ANSWER_LIMIT, self.outlet.lock());
        let mut place = locking.await.map_err(|_elapsed| QueueError::Silent {
            doing: "publishing earlier messages",
            limit: ANSWER_LIMIT,
        })?;
        // Taken out: a publish that its caller gives up in the middle leaves no answer of its own to the next one.
        if let Some(outlet) = place.take() {
            let (sent, kept) = send_on(outlet, &letter).await;
            *place = kept;
            match sent {
                Err(error) if error.is_of_connection() => {}
                Ok(_) | Err(_) => return sent,
            }
        }
        let outlet = Outlet::open(&self.options).await?;
        let (sent, kept) = send_on(outlet, &letter).await;
        *place = kept;
        sent
    }
}

async fn send_on(mut outlet: Outlet, letter: &Letter) -> (Result<Sent, QueueError>, Option<Outlet>) {
    if outlet.is_blocked() {
        return (Err(QueueError::Blocked), Some(outlet));
    }
    let sent = outlet.send(letter).await;
    let is_good = outlet.is_good_after(&sent);
    (sent, is_good.then_some(outlet))
}

/// The properties that all messages of ours have.
fn ours(kind: &str) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_type(kind.into())
        .with_app_id("longshore".into())
        .with_timestamp(u64::try_from(Timestamp::now().as_second()).unwrap_or(0))
}
