//! The data folder and what goes in and out of it: plan, stage, collect, upload, publish.
//!
//! Inputs are written from one snapshot of the catalog. Outputs are hostile until they were looked at. Nothing that is
//! uploaded is visible before the one commit. Never runs a container and never decides whose fault something was.

mod beneath;
mod collect;
mod columns;
mod data_folder;
mod destination;
mod files;
mod load;
mod manifest;
mod old_slices;
mod pairing;
mod plan;
mod progress;
mod publish;
mod removal;
mod rules;
mod several;
mod shelf;
mod slicing;
mod stage;
mod state;
mod threads;
mod transfer;
mod upload;

pub use beneath::{PlainFile, UnsafeError};
pub use collect::{CollectError, Collected, CollectedFile, CollectedTable, collect, collect_despite};
pub use data_folder::{DataFolder, FolderError, Owner};
pub use destination::DestinationError;
pub use files::{FoundFiles, StagedFile, find_files, processed_tags, stage_files};
pub use plan::{Fetch, PlanComplaint, plan_inputs, plan_outputs};
pub use progress::{Progress, ProgressSink};
pub use publish::{Publication, PublishError, commit};
pub use rules::UploadError;
pub use several::Several;
pub use shelf::{DiscardError, Origin, discard};
pub use stage::{StageError, StagedTable, stage_tables};
pub use state::{InputsSeen, State, StateError, read_state};
pub use transfer::{ExportError, ExportOptions, ImportError, export_table, import_table};
pub use upload::{Prepared, upload};

#[cfg(test)]
mod tests;
