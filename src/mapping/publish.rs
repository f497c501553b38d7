//! Makes an upload visible in one commit, computing it again when somebody else published to a table meanwhile.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use super::load::LoadDesk;
use super::rules::UploadError;
use super::upload::Prepared;
use crate::blob::BlobStore;
use crate::catalog::{Catalog, CatalogError, Commit, CommitError, StateKey, TableLoad, UnitEnd};
use crate::job::{AttemptNumber, FileId, JobEnd, JobId, Receipt, TableId};

/// Every lost race means that somebody else's commit went through, so this many in a row is a fault.
const TRIES_MAX: u32 = 50;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// What is committed beside tables and files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Publication {
    pub state: Option<(StateKey, String)>,
    pub processed_tags: Vec<(FileId, Vec<String>)>,
    /// Which unit of the job this is, so that no later attempt publishes it again.
    pub unit: Option<UnitEnd>,
    pub end: Option<JobEnd>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The table changed since the upload, and the load does not fit it any more.
    #[error(transparent)]
    Load(#[from] UploadError),
    #[error("attempt {attempt} of job {job} has lost its lease")]
    FenceLost { job: JobId, attempt: AttemptNumber },
    #[error("gave up after {TRIES_MAX} tries: table {table} is published to without a pause")]
    Contended { table: TableId },
    #[error(transparent)]
    Catalog(CatalogError),
}

/// Commits everything or nothing. What was uploaded is removed when it is certain that it was not committed; after a
/// catalog error it stays, because the commit may have happened all the same.
pub(crate) async fn commit(
    mut prepared: Prepared,
    publication: Publication,
    catalog: &Catalog,
    blob: &BlobStore,
) -> Result<Receipt, PublishError> {
    let committed = try_commit(&mut prepared, publication, catalog, blob).await;
    let is_certain = match &committed {
        Ok(_) | Err(PublishError::Catalog(_)) => false,
        Err(PublishError::Load(_) | PublishError::FenceLost { .. } | PublishError::Contended { .. }) => true,
    };
    if is_certain && let Err(leftover) = prepared.discard(blob).await {
        // The reason for not publishing is the one to tell; the next gc finds the rest.
        tracing::warn!(error = %leftover, "could not remove an upload that was not published");
    }
    committed
}

async fn try_commit(
    prepared: &mut Prepared,
    publication: Publication,
    catalog: &Catalog,
    blob: &BlobStore,
) -> Result<Receipt, PublishError> {
    let mut commit = Commit {
        attempt: prepared.origin.attempt(),
        tables: Vec::new(),
        files: prepared.files.clone(),
        state: publication.state,
        processed_tags: publication.processed_tags,
        unit: publication.unit,
        end: publication.end,
    };
    let mut tries = 0;
    loop {
        commit.tables = loads(prepared, catalog, blob).await?;
        match catalog.commit(&commit).await {
            Ok(receipt) => return Ok(receipt),
            Err(CommitError::FenceLost { job, attempt }) => {
                return Err(PublishError::FenceLost { job, attempt });
            }
            Err(CommitError::Catalog(error)) => return Err(PublishError::Catalog(error)),
            Err(CommitError::HeadMoved { table }) => {
                tries += 1;
                if tries == TRIES_MAX {
                    return Err(PublishError::Contended { table });
                }
                tracing::debug!(%table, tries, "the table moved, computing the load again");
                tokio::time::sleep(pause(tries)).await;
            }
        }
    }
}

/// Every load against the heads as they are now. What was computed for earlier heads is used again.
async fn loads(
    prepared: &mut Prepared,
    catalog: &Catalog,
    blob: &BlobStore,
) -> Result<Vec<TableLoad>, PublishError> {
    let ids: Vec<TableId> = prepared.tables.iter().map(|table| table.rules.table.clone()).collect();
    let heads = catalog.snapshot(&ids).await.map_err(PublishError::Catalog)?;
    let desk = LoadDesk { blob, shelf: &prepared.shelf };
    let mut loads = Vec::with_capacity(heads.len());
    for (table, head) in prepared.tables.iter_mut().zip(heads) {
        loads.push(table.against(head.as_ref(), &desk).await?);
    }
    Ok(loads)
}

/// A random part of a growing time, so that those who lost the same race do not meet again.
fn pause(tries: u32) -> Duration {
    let longest = PAUSE_MAX.min(Duration::from_millis(5) * tries);
    // Every RandomState has fresh keys: randomness enough for this.
    let dice = RandomState::new().build_hasher().finish() % 1000;
    longest.mul_f64(f64::from(u32::try_from(dice).unwrap_or(0)) / 1000.0)
}
