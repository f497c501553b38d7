//! Why there is no report: trouble that is not the component's.

use std::io;
use std::path::PathBuf;

use crate::blob::BlobError;
use crate::catalog::CatalogError;
use crate::engine::EngineError;
use crate::job::{Failure, JobId};
use crate::mapping::{FolderError, ImportError};
use crate::runner::RunError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CertifyError {
    /// A line for each mistake.
    #[error("{message}")]
    Configuration { message: String },
    /// Nobody can be judged by a run that the platform spoiled.
    #[error("the run {run:?} failed for a reason of the platform: {}: {}", failure.message, failure.detail)]
    Platform { run: String, failure: Box<Failure> },
    #[error("somebody asked to stop")]
    Interrupted,
    #[error("table {table} cannot be loaded")]
    Import { table: String, source: Box<ImportError> },
    #[error("cannot {action} {path}", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// Each scratch project has one job at a time.
    #[error("job {job} is at work in a scratch project")]
    Busy { job: JobId },
    #[error("a task that reads outputs broke down")]
    TaskLost(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Folder(#[from] FolderError),
}
