//! What is wrong with the outputs: the user's doing, unless a disk or a store failed under us.

use super::Stop;
use crate::blob::is_disk_full;
use crate::job::{Blame, Failure, FailureCode};
use crate::mapping::{CollectError, UnsafeError, UploadError};

pub(super) fn of_collect(error: &CollectError) -> Stop {
    match error {
        CollectError::Unsafe(error) => of_unsafe(error),
        CollectError::Destination(_)
        | CollectError::Manifest { .. }
        | CollectError::OrphanedManifest { .. }
        | CollectError::SourceMissing { .. }
        | CollectError::DuplicateDestination { .. }
        | CollectError::SlicedWithoutColumns { .. }
        | CollectError::EmptyWithoutColumns { .. }
        | CollectError::HeadlessWithoutColumns { .. }
        | CollectError::ColumnUnnamed { .. }
        | CollectError::ColumnTwice { .. } => Stop::users(FailureCode::OutputInvalid, error.to_string()),
    }
}

pub(super) fn of_upload(error: &UploadError) -> Stop {
    match error {
        UploadError::Unsafe(error) => of_unsafe(error),
        UploadError::Csv { source, .. } => match source.io() {
            Some(io) => Stop::storage(is_disk_full(io), error),
            // A slice was sound when it was stored.
            None if source.is_damage() => Stop::storage(false, error),
            None => Stop::users(FailureCode::OutputInvalid, error.to_string()),
        },
        UploadError::ColumnsMissing { .. }
        | UploadError::ColumnUnnamed { .. }
        | UploadError::ColumnTwice { .. }
        | UploadError::KeyColumnsMissing { .. }
        | UploadError::KeyDiffers { .. }
        | UploadError::KeyDuplicates { .. }
        | UploadError::KeyColumnNew { .. }
        | UploadError::DeleteColumnUnknown { .. } => {
            Stop::users(FailureCode::OutputInvalid, error.to_string())
        }
        UploadError::Io { source, .. } => Stop::storage(is_disk_full(source), error),
        UploadError::Blob { source, .. } => Stop::storage(source.is_disk_full(), error),
        UploadError::Catalog(error) => {
            let code = if error.is_disk_full() { FailureCode::DiskFull } else { FailureCode::CatalogFailed };
            Stop::platform(code, error)
        }
    }
}

pub(super) fn of_unsafe(error: &UnsafeError) -> Stop {
    match error {
        UnsafeError::NotAFile { .. }
        | UnsafeError::NotAFolder { .. }
        | UnsafeError::Sparse { .. }
        | UnsafeError::NameNotUtf8 { .. }
        | UnsafeError::NameControl { .. }
        | UnsafeError::NameTooLong { .. }
        | UnsafeError::CaseCollision { .. }
        | UnsafeError::TooMany { .. }
        | UnsafeError::TooLarge { .. }
        | UnsafeError::TableTooLarge { .. }
        | UnsafeError::Unreadable { .. } => Stop::users(FailureCode::OutputUnsafe, error.to_string()),
        UnsafeError::Io { source, .. } => Stop::storage(is_disk_full(source), error),
    }
}

/// A component can leave any number of wrong outputs; nobody reads about more than these.
const TOLD_MAX: usize = 50;

/// Several failures as one: a fault of the platform hides the rest, which may come from it; else all are told under
/// the code of the first.
pub(super) fn all(stops: impl Iterator<Item = Stop>) -> Stop {
    let mut failures = Vec::new();
    for stop in stops {
        match stop {
            Stop::Cancelled => return Stop::Cancelled,
            Stop::Failed(failure) if failure.code.blame() == Blame::Platform => {
                return Stop::Failed(failure);
            }
            Stop::Failed(failure) => failures.push(failure),
        }
    }
    let more = failures.len().saturating_sub(TOLD_MAX);
    let join = |text: fn(&Failure) -> &str| {
        let mut lines: Vec<String> =
            failures.iter().take(TOLD_MAX).map(|failure| text(failure).to_owned()).collect();
        if more > 0 {
            lines.push(format!("and {more} more of the kind"));
        }
        lines.join("\n")
    };
    let code = failures.first().map_or(FailureCode::OutputInvalid, |failure| failure.code);
    Stop::Failed(Failure {
        code,
        message: join(|failure| &failure.message),
        detail: join(|failure| &failure.detail),
    })
}
