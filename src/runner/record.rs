//! What becomes known of a job while it runs: the result document and the phase ledger, kept in the catalog.

use std::time::Instant;

use super::{Order, Runner, Settled};
use crate::blob::BlobKey;
use crate::catalog::CatalogError;
use crate::job::{AttemptNumber, JobEnd, Outcome, Phase, PhaseLedger, Receipt};
use crate::result::{ComponentPart, ConfigurationPart, ResultDocument, message_of};

/// One attempt's record. A phase is entered, then left; what was entered last is where the attempt is.
#[derive(Debug)]
pub(super) struct Record<'a> {
    runner: &'a Runner,
    order: &'a Order,
    attempt: AttemptNumber,
    pub(super) document: ResultDocument,
    /// Of all units so far, also of those that failed with tables marked `write_always`.
    pub(super) published: Receipt,
    /// Secrets that lie in outputs, in sentences.
    pub(super) leaks: Vec<String>,
    ledger: PhaseLedger,
    phase: Phase,
    since: Instant,
    /// The complete log, once it is stored.
    pub(super) log: Option<BlobKey>,
    /// A container was started: whoever stops the job from here on terminates it.
    pub(super) has_run: bool,
    /// The container of this attempt was started by another worker.
    pub(super) is_resumed: bool,
    /// The last unit's commit has ended the job already.
    pub(super) is_ended: bool,
}

impl<'a> Record<'a> {
    pub(super) fn begin(runner: &'a Runner, order: &'a Order, attempt: AttemptNumber) -> Self {
        let component = ComponentPart {
            id: order.component.id.to_string(),
            spec_sha256: order.component.spec_hash.to_string(),
        };
        let configuration = ConfigurationPart {
            id: order.request.configuration.as_ref().map(ToString::to_string),
            sha256: order.configuration.hash.to_string(),
        };
        let document =
            ResultDocument::begin(order.job, attempt, order.request.mode, component, configuration);
        let (ledger, phase) = (PhaseLedger::default(), Phase::Resolve);
        Self {
            runner,
            order,
            attempt,
            document,
            published: Receipt::default(),
            leaks: Vec::new(),
            ledger,
            phase,
            since: Instant::now(),
            log: None,
            has_run: false,
            is_resumed: false,
            is_ended: false,
        }
    }

    /// Goes on with what another worker has recorded of this attempt.
    pub(super) fn resume(
        runner: &'a Runner,
        order: &'a Order,
        attempt: AttemptNumber,
        document: Option<ResultDocument>,
    ) -> Self {
        let begun = Self::begin(runner, order, attempt);
        let document = document.unwrap_or(begun.document);
        // What earlier units published is read from the catalog, which knows it for sure.
        Self { document, has_run: true, is_resumed: true, ..begun }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    /// Ends the phase that was entered last.
    pub(super) fn leave(&mut self, bytes: u64) {
        self.ledger.record(self.phase, self.since.elapsed(), bytes);
    }

    /// A phase that was measured elsewhere, beside the current one.
    pub(super) fn note(&mut self, phase: Phase, took: std::time::Duration, bytes: u64) {
        self.ledger.record(phase, took, bytes);
    }

    /// Adds what a unit has published.
    pub(super) fn add_published(&mut self, receipt: Receipt) {
        self.published.tables.extend(receipt.tables);
        self.published.files.extend(receipt.files);
        self.document.set_output(&self.published);
    }

    /// Writes down what is known so far. `false`: the attempt is not ours any more.
    pub(super) async fn keep(&mut self) -> Result<bool, CatalogError> {
        self.document.set_ledger(&self.ledger);
        let (catalog, text) = (&self.runner.catalog, self.document.to_json());
        catalog.progress(self.order.job, self.attempt, self.phase, None, Some(&text)).await
    }

    /// Ends the job in the catalog. False: the attempt is not ours any more.
    pub(super) async fn end(&mut self, end: &JobEnd) -> Result<bool, CatalogError> {
        self.runner.catalog.end_job(self.order.job, self.attempt, end, None).await
    }

    /// Completes the document of a job that has ended.
    pub(super) async fn conclude(mut self, outcome: &Outcome) -> Result<Settled, CatalogError> {
        self.document.conclude(outcome);
        self.document.set_ledger(&self.ledger);
        let text = self.document.to_json();
        self.runner.catalog.annotate(self.order.job, &text, self.log.as_ref()).await?;
        Ok(Settled::Ended(Box::new(self.document)))
    }
}

/// The end as the catalog keeps it.
pub(super) fn end_of(outcome: &Outcome) -> JobEnd {
    let code = match outcome {
        Outcome::Failed(failure) => Some(failure.code),
        Outcome::Succeeded(_) | Outcome::Warned { .. } | Outcome::Terminated { .. } | Outcome::Cancelled => {
            None
        }
    };
    JobEnd { status: outcome.status(), code, message: message_of(outcome) }
}
