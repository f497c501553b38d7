//! Which job is meant: by its id, or by the key it was submitted with.

use std::str::FromStr;

use crate::catalog::JobRecord;
use crate::cli::exit::Trouble;
use crate::cli::follow::{self, Sought};
use crate::cli::home::Home;
use crate::job::JobId;

/// A job as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct JobName(String);

impl FromStr for JobName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("expected a job's id or key".to_owned()) } else { Ok(Self(text.to_owned())) }
    }
}

impl JobName {
    /// The job's record, if it is accepted. A key that looks like an id is found too.
    pub(super) async fn found(&self, home: &Home) -> Result<Option<JobRecord>, Trouble> {
        if let Ok(job) = self.0.parse::<JobId>()
            && let Some(record) = follow::record(&Sought::Job(job), home).await?
        {
            return Ok(Some(record));
        }
        follow::record(&Sought::Key(self.0.clone()), home).await
    }

    /// The same where it must be there.
    pub(super) async fn record(&self, home: &Home) -> Result<JobRecord, Trouble> {
        self.found(home).await?.ok_or_else(|| self.missing())
    }

    /// What to look for when it may still come: the key of a job is its id where that is one.
    pub(super) fn sought(&self) -> Sought {
        Sought::of_key(&self.0)
    }

    pub(super) fn missing(&self) -> Trouble {
        Trouble::user(format!("job {} does not exist", self.0)).hint("longshore job ls lists the jobs")
    }
}
