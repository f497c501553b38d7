//! From the broker into the catalog: a message is recorded as a waiting job, then acknowledged. So the broker never
//! waits for a job, a message that comes twice is one job, and whatever dies in between delivers it again.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{PAUSE_AFTER_ERROR, Worker, sealing};
use crate::catalog::{Accepted, NewJob, ReplyAddress};
use crate::component::Complaints;
use crate::job::JobId;
use crate::queue::{self, Delivery};
use crate::request;
use crate::telemetry::DeliveryEnd;

/// Messages that may be on their way into the catalog at once: one transaction takes them all.
const PREFETCH: u16 = 64;

/// Takes messages in until it is told to stop.
pub(super) async fn take_in(worker: &Worker, stop: &CancellationToken) {
    let Some(options) = &worker.queue else { return };
    let (sender, mut deliveries) = mpsc::channel(usize::from(PREFETCH));
    let accepting = async {
        let mut batch = Vec::new();
        while deliveries.recv_many(&mut batch, usize::from(PREFETCH)).await > 0 {
            accept(worker, std::mem::take(&mut batch), stop).await;
        }
    };
    let consuming = queue::consume(options, PREFETCH, sender, &worker.broker, stop);
    tokio::join!(consuming, accepting);
}

/// Records a batch, in its order; tries again until the catalog answers, as the broker keeps what is not answered.
async fn accept(worker: &Worker, batch: Vec<Delivery>, stop: &CancellationToken) {
    let (mut jobs, mut accepted) = (Vec::new(), Vec::new());
    for mut delivery in batch {
        match new_job(&delivery, worker).await {
            Ok(job) => {
                jobs.push(job);
                accepted.push(delivery);
            }
            Err(reason) => {
                worker.meters.delivery(DeliveryEnd::Refused);
                tracing::warn!(message.id = delivery.message_id, reason, "a message is refused");
                delivery.body = sealing::buried(worker, std::mem::take(&mut delivery.body));
                if let Err(error) = delivery.refuse(&reason).await {
                    tracing::warn!(%error, "the message will come again");
                }
            }
        }
    }
    if jobs.is_empty() {
        return;
    }
    let recorded = loop {
        match worker.runner.catalog.accept_jobs(&jobs).await {
            Ok(recorded) => break recorded,
            Err(error) => tracing::error!(%error, "jobs cannot be recorded; the broker keeps them"),
        }
        let pause = tokio::time::sleep(PAUSE_AFTER_ERROR);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    };
    for job in recorded {
        worker.meters.delivery(match job {
            Accepted::New(_) => DeliveryEnd::Accepted,
            Accepted::Known(_) => DeliveryEnd::Known,
        });
    }
    worker.desk.bell.notify_one();
    for delivery in accepted {
        // It is recorded: coming again it will be known.
        if let Err(error) = delivery.accept().await {
            tracing::info!(%error, "a message could not be acknowledged and will come again");
        }
    }
}

/// What a message asks for, or why it is refused.
async fn new_job(delivery: &Delivery, worker: &Worker) -> Result<NewJob, String> {
    let Some(key) = delivery.message_id.clone().filter(|key| !key.is_empty()) else {
        return Err(
            "the message has no message_id: without it a second delivery would run the job twice".to_owned()
        );
    };
    let document = request::parse(&delivery.body, "message").map_err(|Complaints(complaints)| {
        complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    let document = sealing::sealed(worker, document).await?;
    let reply_to = delivery.reply_to.clone();
    Ok(NewJob {
        id: JobId::of_key(&key),
        component: document.component.clone(),
        configuration: document.configuration.clone(),
        priority: document.priority.unwrap_or(delivery.lane),
        request: document.to_json(),
        key: Some(key),
        attempts_max: worker.options.attempts_max,
        reply: reply_to
            .map(|reply_to| ReplyAddress { reply_to, correlation_id: delivery.correlation_id.clone() }),
    })
}
