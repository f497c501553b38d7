//! Stands by a container's network while it runs: tells of what is refused, keeps what was reached where a worker's death does
//! not take it along, and has rules that somebody flushed put up again.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::Job;
use super::record::Record;
use crate::catalog::CatalogError;
use crate::egress::{Contacts, EgressError, Enclosure, Refusal, Rules};
use crate::events::Level;
use crate::failure::chain;
use crate::result::NetworkPart;

/// Between two rounds. A worker that dies takes along what its components reached since the last one.
const ROUND: Duration = Duration::from_secs(4);

const RESTORED: &str = "the rules that hold what the component may reach were gone, as after `nft flush ruleset`, and are \
                        loaded again: until now it may have reached more";

#[derive(Debug)]
pub(super) struct Warden<'a> {
    job: &'a Job<'a>,
    /// What is on record of other containers of this job, and of this one under a worker that died.
    before: Option<NetworkPart>,
    kept: Contacts,
    has_told_of_rules: bool,
}

enum Wake {
    Refused(Refusal),
    Round,
}

impl<'a> Warden<'a> {
    /// Once the container's network is described in the record.
    pub(super) fn new(job: &'a Job<'a>, record: &Record<'_>) -> Self {
        let before = record.document.network.clone();
        Self { job, before, kept: Contacts::default(), has_told_of_rules: false }
    }

    /// Until the container has `ended`; an error where it must not go on.
    pub(super) async fn stand_by(
        &mut self,
        enclosure: &mut Enclosure,
        record: &mut Record<'_>,
        ended: &CancellationToken,
    ) -> Result<(), EgressError> {
        let mut rounds = interval_at(Instant::now() + ROUND, ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = tokio::select! {
                () = ended.cancelled() => return Ok(()),
                refusal = enclosure.next_refusal() => Wake::Refused(refusal),
                _now = rounds.tick() => Wake::Round,
            };
            match wake {
                Wake::Refused(refusal) => {
                    self.job.scribe.say(Level::Warning, &refusal.words(), self.job.news).await;
                }
                Wake::Round => {
                    self.look_after_rules(enclosure, record).await?;
                    if let Err(error) = self.note_contacts(enclosure, record).await {
                        tracing::warn!(error = %chain(&error), "what a component reached is kept later");
                    }
                }
            }
        }
    }

    /// Puts into the job's record what the component reached and what it was refused, where that is more than was kept.
    pub(super) async fn note_contacts(
        &mut self,
        enclosure: &Enclosure,
        record: &mut Record<'_>,
    ) -> Result<(), CatalogError> {
        let Some(contacts) = enclosure.contacts().filter(|contacts| *contacts != self.kept) else {
            return Ok(());
        };
        let mut network = self.before.clone();
        if let Some(network) = &mut network {
            network.add(contacts.clone().map_texts(|text| self.job.scribe.mask(text)));
        }
        record.document.network = network;
        // Whether the attempt is still ours is asked by the commit.
        record.keep().await?;
        self.kept = contacts;
        Ok(())
    }

    /// Tells once that the rules were gone, or that they are and stay so.
    async fn look_after_rules(
        &mut self,
        enclosure: &Enclosure,
        record: &mut Record<'_>,
    ) -> Result<(), EgressError> {
        let network = &self.job.order.component.network;
        let found = enclosure.restore(network, &self.job.runner.options.egress).await;
        if matches!(found, Ok(Rules::Gone(_)) | Err(_)) {
            for network in self.before.iter_mut().chain(&mut record.document.network) {
                network.guarded = false;
            }
        }
        let line = match found? {
            Rules::Held => return Ok(()),
            Rules::Restored => RESTORED.to_owned(),
            Rules::Gone(why) => format!(
                "the rules that hold what the component may reach are gone and cannot be loaded again: {}",
                chain(&why)
            ),
        };
        if !std::mem::replace(&mut self.has_told_of_rules, true) {
            self.job.scribe.say(Level::Warning, &line, self.job.news).await;
            record.document.note(line);
        }
        Ok(())
    }
}
