//! What exists: tables, versions, files, states, jobs, events, and the one commit that publishes. SQL lives here only,
//! written once in the subset that `SQLite` and `PostgreSQL` share. Never touches a blob: it knows keys, not bytes.

mod commit;
mod connect;
mod error;
mod events;
mod files;
mod image_locks;
mod jobs;
mod load;
mod migrations;
mod retention;
mod rows;
mod service;
mod slices;
mod tables;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use connect::Catalog;
#[expect(unused_imports, reason = "skeleton")]
pub(crate) use connect::PostgresOptions;
pub(crate) use error::{CatalogError, CommitError};
pub(crate) use image_locks::ImageLock;
#[expect(unused_imports, reason = "skeleton")]
pub(crate) use service::{
    Accepted, Beat, Begun, CancelAnswer, HeldAttempt, JobCounts, NewJob, PutBack, ReplyAddress,
    StoredConfiguration, UnitEnd, Untold, WaitingJob,
};
pub(crate) use types::{
    At, Commit, JobRecord, NewFile, NewSlice, OpenAttempt, Slice, SliceDeletion, SliceId, StateKey,
    StoredFile, TableLoad, TableSummary, TableVersion,
};
