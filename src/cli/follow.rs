//! Sees a job to its end from outside, through the catalog alone: whoever runs it may be on another machine.

use std::time::Duration;

use tokio::time::Instant;

use super::exit::Trouble;
use super::home::Home;
use super::print::Printer;
use super::run::next_interrupt;
use super::{job, run};
use crate::catalog::JobRecord;
use crate::events::Event;
use crate::job::{JobId, JobState};

/// Between two looks, growing while nothing happens. Many may watch one database.
const LOOK_FIRST: Duration = Duration::from_millis(50);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// How long a job may be unknown before the person is told what that may mean.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// Events read at once.
const PAGE: u64 = 1000;

/// The job that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sought {
    Job(JobId),
    /// Whose id is not known before it is accepted.
    Key(String),
}

impl Sought {
    /// A job that will be accepted under this key: its id is known where the key is one.
    pub(super) fn of_key(key: &str) -> Self {
        let job = JobId::of_key(key);
        if job.to_string() == key { Self::Job(job) } else { Self::Key(key.to_owned()) }
    }
}

impl std::fmt::Display for Sought {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Job(job) => job.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

/// How the watching ended.
#[derive(Debug)]
pub(super) enum Watched {
    Ended(Box<JobRecord>),
    TimedOut,
    /// The person left. The job goes on.
    Interrupted,
}

/// Who wants to see what the job says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// Lines for people, as `run` shows them.
    Lines,
    /// Data on stdout, as `job log --events` prints them.
    Events,
}

/// Watches one job.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) home: &'a Home,
    pub(super) printer: Printer,
    pub(super) shown: Shown,
    pub(super) timeout: Option<Duration>,
}

impl Watch<'_> {
    /// Waits for the end of a job, which need not be accepted yet.
    pub(super) async fn until_end(&self, sought: &Sought) -> Result<Watched, Trouble> {
        let timeout = async {
            match self.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = self.end(sought) => ended.map(|record| Watched::Ended(Box::new(record))),
            () = timeout => Ok(Watched::TimedOut),
            () = interrupted() => Ok(Watched::Interrupted),
        }
    }

    async fn end(&self, sought: &Sought) -> Result<JobRecord, Trouble> {
        let mut sequence = 0;
        let mut pause = LOOK_FIRST;
        let record = self.accepted(sought).await?;
        let mut status = record.state.status();
        loop {
            // The record first: what was said before the end is there when the end is.
            let record = self.home.catalog.job(record.id).await?.unwrap_or_else(|| record.clone());
            let told = self.tell_from(record.id, &mut sequence).await?;
            if let JobState::Done { .. } = record.state {
                return Ok(record);
            }
            if told || record.state.status() != status {
                pause = LOOK_FIRST;
                status = record.state.status();
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    /// The job's record, once there is one.
    async fn accepted(&self, sought: &Sought) -> Result<JobRecord, Trouble> {
        let begun = Instant::now();
        let (mut pause, mut was_told) = (LOOK_FIRST, false);
        loop {
            if let Some(record) = record(sought, self.home).await? {
                return Ok(record);
            }
            if !was_told && begun.elapsed() > UNKNOWN_FOR {
                was_told = true;
                self.printer
                    .note(&format!("job {sought} is not known yet: no worker has accepted it so far"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    /// Prints the events from a sequence number on, which moves behind them. Whether there were any.
    async fn tell_from(&self, job: JobId, sequence: &mut u64) -> Result<bool, Trouble> {
        if self.shown == Shown::Nothing {
            return Ok(false);
        }
        let mut told = false;
        loop {
            let events = self.home.catalog.events(job, *sequence, PAGE).await?;
            let Some(last) = events.last() else { return Ok(told) };
            *sequence = last.sequence + 1;
            told = true;
            for event in &events {
                self.show(event)?;
            }
        }
    }

    fn show(&self, event: &Event) -> Result<(), Trouble> {
        match self.shown {
            Shown::Nothing => {}
            Shown::Lines => run::show(event, self.printer),
            Shown::Events => job::print_event(event, self.printer)?,
        }
        Ok(())
    }
}

/// The record of a job that is accepted.
pub(super) async fn record(sought: &Sought, home: &Home) -> Result<Option<JobRecord>, Trouble> {
    let job = match sought {
        Sought::Job(job) => Some(*job),
        Sought::Key(key) => home.catalog.job_of_key(key).await?,
    };
    match job {
        Some(job) => Ok(home.catalog.job(job).await?),
        None => Ok(None),
    }
}

async fn interrupted() {
    if !next_interrupt().await {
        std::future::pending::<()>().await;
    }
}
