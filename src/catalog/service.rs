//! CONTRACT: what several workers share. Types and signatures; bodies to be written.
#![allow(dead_code, unused_variables, clippy::unused_async, reason = "skeleton")]

use std::time::Duration;

use jiff::Timestamp;

use super::{Catalog, CatalogError, OpenAttempt};
use crate::job::{
    AttemptNumber, ComponentId, ConfigurationId, Failure, FailureCode, JobId, Priority, WorkerId,
};

/// A job to be accepted: it waits until a worker claims it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewJob {
    pub(crate) id: JobId,
    /// What makes a second delivery of the same request known; unique in a catalog.
    pub(crate) key: Option<String>,
    pub(crate) component: ComponentId,
    pub(crate) configuration: Option<ConfigurationId>,
    /// The request document, JSON text.
    pub(crate) request: String,
    pub(crate) priority: Priority,
    /// Attempts after platform trouble or a lost worker, the first included.
    pub(crate) attempts_max: u32,
    pub(crate) reply: Option<ReplyAddress>,
}

/// Where the result document is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplyAddress {
    pub(crate) reply_to: String,
    pub(crate) correlation_id: Option<String>,
}

/// What became of an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    New(JobId),
    /// A job with this key (or id) is there already; nothing was changed.
    Known(JobId),
}

/// What became of a job that its own process wants to run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    Attempt(AttemptNumber),
    /// Another job of the configuration is waiting or processing; nothing was recorded.
    Busy(JobId),
}

/// A job that could be claimed now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WaitingJob {
    pub(crate) id: JobId,
    pub(crate) component: ComponentId,
    pub(crate) configuration: Option<ConfigurationId>,
    /// The request document, JSON text.
    pub(crate) request: String,
    /// Since when it waits: accepted, or put back and its time has come.
    pub(crate) since: Timestamp,
    /// Attempts so far.
    pub(crate) attempts: u32,
}

/// An attempt that a worker still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldAttempt {
    pub(crate) job: JobId,
    pub(crate) attempt: AttemptNumber,
    pub(crate) is_cancel_asked: bool,
}

/// What a worker's heartbeat looks like to the others. A beat that stays the same for a lease time, by the clock of
/// whoever looks, is a lost worker: no two machines' clocks are ever compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) worker: WorkerId,
    pub(crate) beat: u64,
}

/// What became of an attempt whose worker is gone, or that ended with trouble of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutBack {
    /// It waits for its next attempt.
    Waiting,
    /// It had all its attempts: ended as an error.
    Ended,
    /// The attempt was not current any more: nothing was changed.
    NotCurrent,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelAnswer {
    /// It had not begun and never will.
    Cancelled,
    /// It runs; its worker will stop it.
    Asked,
    AlreadyDone,
}

/// How one unit (row) of a job ended, so that a later attempt does not run it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitEnd {
    /// Place of the unit among the job's units.
    pub(crate) unit: u32,
    /// `None`: its outputs are published.
    pub(crate) failure: Option<(FailureCode, String)>,
}

/// A job that has ended and whom somebody is still to be told of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Untold {
    pub(crate) job: JobId,
    pub(crate) component: ComponentId,
    pub(crate) reply: Option<ReplyAddress>,
}

/// Jobs by where they stand, for metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JobCounts {
    /// Status text, failure code text (empty for none), how many.
    pub(crate) by_end: Vec<(String, String, u64)>,
    /// Of the oldest job that could be claimed now.
    pub(crate) oldest_waiting: Option<Timestamp>,
}

/// A stored configuration at one version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredConfiguration {
    pub(crate) component: ComponentId,
    pub(crate) id: ConfigurationId,
    /// Counts from 1.
    pub(crate) version: u64,
    /// As it was put, YAML or JSON.
    pub(crate) document: String,
    pub(crate) note: Option<String>,
    pub(crate) created: Timestamp,
}

impl Catalog {
    /// Accepts jobs in the order given, all in one transaction: each gets the next number of acceptance.
    pub(crate) async fn accept_jobs(&self, jobs: &[NewJob]) -> Result<Vec<Accepted>, CatalogError> {
        unimplemented!()
    }

    /// The jobs that could be claimed now, the most urgent first: none whose configuration has an older job waiting or
    /// one processing, none whose `not_before` lies ahead.
    pub(crate) async fn waiting_jobs(&self, jobs_max: u64) -> Result<Vec<WaitingJob>, CatalogError> {
        unimplemented!()
    }

    /// Takes the next attempt by compare-and-set; `None` when the job cannot be claimed (any more). No two jobs of
    /// one configuration are ever processing.
    pub(crate) async fn claim(
        &self,
        job: JobId,
        worker: &WorkerId,
    ) -> Result<Option<AttemptNumber>, CatalogError> {
        unimplemented!()
    }

    /// Puts an attempt back to wait for the next one, not before `after` from now; where the job has had all its
    /// attempts it ends as an error with this failure. `counts` false: this attempt was no one's fault (its worker was
    /// told to leave) and does not use up one of the job's.
    pub(crate) async fn put_back(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        failure: &Failure,
        after: Duration,
        counts: bool,
    ) -> Result<PutBack, CatalogError> {
        unimplemented!()
    }

    /// Makes a worker known, with its first beat.
    pub(crate) async fn sign_on(&self, worker: &WorkerId, host: &str) -> Result<(), CatalogError> {
        unimplemented!()
    }

    /// Forgets a worker that holds nothing any more.
    pub(crate) async fn sign_off(&self, worker: &WorkerId) -> Result<(), CatalogError> {
        unimplemented!()
    }

    /// The heartbeat: counts the worker's beat up and returns what it holds. A worker that was declared lost is known
    /// again by this; what it held then is not among the result.
    pub(crate) async fn beat(&self, worker: &WorkerId) -> Result<Vec<HeldAttempt>, CatalogError> {
        unimplemented!()
    }

    /// The beats of all workers that are signed on.
    pub(crate) async fn beats(&self) -> Result<Vec<Beat>, CatalogError> {
        unimplemented!()
    }

    /// Declares a worker lost, unless it has beaten meanwhile: removes it and returns what it held. `None`: it lives.
    pub(crate) async fn lose_worker(&self, beat: &Beat) -> Result<Option<Vec<OpenAttempt>>, CatalogError> {
        unimplemented!()
    }

    /// Makes an attempt another worker's, who goes on with its container. False: it is not `from`'s any more.
    pub(crate) async fn take_over(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        from: &WorkerId,
        to: &WorkerId,
    ) -> Result<bool, CatalogError> {
        unimplemented!()
    }

    /// Cancels a job that waits; asks the worker of one that runs. A job that does not exist is an error.
    pub(crate) async fn cancel_job(&self, job: JobId) -> Result<CancelAnswer, CatalogError> {
        unimplemented!()
    }

    /// The job with this idempotency key.
    pub(crate) async fn job_of_key(&self, key: &str) -> Result<Option<JobId>, CatalogError> {
        unimplemented!()
    }

    /// The request document (JSON text) of a job.
    pub(crate) async fn request_of(&self, job: JobId) -> Result<Option<String>, CatalogError> {
        unimplemented!()
    }

    /// The units of a job that have ended in this or an earlier attempt, by place.
    pub(crate) async fn unit_ends(&self, job: JobId) -> Result<Vec<UnitEnd>, CatalogError> {
        unimplemented!()
    }

    /// The sequence number for the job's next event.
    pub(crate) async fn next_event(&self, job: JobId) -> Result<u64, CatalogError> {
        unimplemented!()
    }

    /// How many events from sequence number `from` on are of the component (not of the runner).
    pub(crate) async fn component_events_since(&self, job: JobId, from: u64) -> Result<u64, CatalogError> {
        unimplemented!()
    }

    /// Jobs that ended at least `age` ago and whom nobody was told of yet, oldest first.
    pub(crate) async fn untold_jobs(
        &self,
        age: Duration,
        jobs_max: u64,
    ) -> Result<Vec<Untold>, CatalogError> {
        unimplemented!()
    }

    pub(crate) async fn mark_told(&self, job: JobId) -> Result<(), CatalogError> {
        unimplemented!()
    }

    pub(crate) async fn job_counts(&self) -> Result<JobCounts, CatalogError> {
        unimplemented!()
    }

    /// Stores a new version of a configuration, unless the newest one has the same document; returns the version.
    pub(crate) async fn put_configuration(
        &self,
        component: &ComponentId,
        id: &ConfigurationId,
        document: &str,
        note: Option<&str>,
    ) -> Result<u64, CatalogError> {
        unimplemented!()
    }

    /// A version of a configuration; `None` for the newest.
    pub(crate) async fn configuration(
        &self,
        component: &ComponentId,
        id: &ConfigurationId,
        version: Option<u64>,
    ) -> Result<Option<StoredConfiguration>, CatalogError> {
        unimplemented!()
    }

    /// The newest version of each configuration, by component and id.
    pub(crate) async fn configurations(&self) -> Result<Vec<StoredConfiguration>, CatalogError> {
        unimplemented!()
    }

    /// All versions, oldest first.
    pub(crate) async fn configuration_history(
        &self,
        component: &ComponentId,
        id: &ConfigurationId,
    ) -> Result<Vec<StoredConfiguration>, CatalogError> {
        unimplemented!()
    }
}
