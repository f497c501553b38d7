//! What exists: tables, versions, files, states, jobs, events, and the one commit that publishes. SQL lives here only,
//! written once in the subset that `SQLite` and `PostgreSQL` share. Never touches a blob: it knows keys, not bytes.

mod accept;
mod again;
mod batch;
mod claim;
mod commit;
mod configurations;
mod connect;
mod error;
mod events;
mod files;
mod image_locks;
mod inspect;
mod jobs;
mod lease;
mod load;
mod migrations;
mod retention;
mod rows;
mod slices;
mod states;
mod steer;
mod tables;
mod telling;
#[cfg(test)]
mod tests;
mod types;
mod units;

pub(crate) use accept::{Accepted, AcceptedRequest, Begun, NewJob, ReplyAddress};
pub(crate) use claim::WaitingJob;
pub(crate) use configurations::StoredConfiguration;
pub(crate) use connect::{Catalog, PostgresOptions};
pub(crate) use error::{CatalogError, CommitError};
pub(crate) use image_locks::ImageLock;
pub(crate) use inspect::{CatalogPlace, DatabaseStatus};
pub(crate) use lease::{Beat, HeldAttempt};
pub(crate) use steer::{CancelAnswer, PutBack, Tally};
pub(crate) use telling::{JobCounts, Untold};
pub(crate) use types::{
    At, Commit, JobRecord, NewFile, NewSlice, OpenAttempt, Slice, SliceDeletion, SliceId, StateKey,
    StoredFile, TableLoad, TableSummary, TableVersion,
};
pub(crate) use units::{UnitEnd, UnitFailure};
