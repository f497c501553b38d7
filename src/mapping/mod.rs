//! The data folder and what goes in and out of it: plan, stage, collect, upload, publish.
//!
//! Inputs are written from one snapshot of the catalog. Outputs are hostile until they were looked at. Nothing that is
//! uploaded is visible before the one commit. Never runs a container and never decides whose fault something was.

mod alter;
mod archive;
mod beneath;
mod collect;
mod columns;
mod data_folder;
mod destination;
mod export;
mod files;
mod import;
mod joined;
mod leaks;
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
mod table_plan;
mod table_writer;
mod threads;
mod upload;

pub(crate) use alter::{Alteration, alter_tables};
pub(crate) use archive::{ArchiveError, ArchiveOrder, archive};
pub(crate) use beneath::UnsafeError;
pub(crate) use collect::{CollectError, Collected, collect, collect_despite};
pub(crate) use data_folder::{DataFolder, FolderError, Owner};
pub(crate) use export::{ExportOptions, export_table};
pub(crate) use files::{FoundFiles, StagedFile, find_files, processed_tags, stage_files};
pub(crate) use import::{ImportError, import_file, import_table};
pub(crate) use leaks::{Leak, LeakPlace, find_leaks};
pub(crate) use plan::{Fetch, PlanComplaint, plan_inputs, plan_outputs};
pub(crate) use progress::ProgressSink;
pub(crate) use publish::{Publication, PublishError, commit};
pub(crate) use rules::UploadError;
pub(crate) use several::Several;
pub(crate) use shelf::{DiscardError, Origin, discard};
pub(crate) use stage::{StageError, StagedTable, stage_tables};
pub(crate) use state::{InputsSeen, State, StateError, read_state};
pub(crate) use upload::{Prepared, upload};

#[cfg(test)]
mod tests;
