//! The data folder and what goes in and out of it: plan, stage, collect, upload, publish.
//!
//! Inputs are written from one snapshot of the catalog. Outputs are hostile until they were looked at. Nothing that is
//! uploaded is visible before the one commit. Never runs a container and never decides whose fault something was.

mod beneath;
mod columns;
mod data_folder;
mod destination;
mod files;
mod manifest;
mod plan;
mod progress;
mod removal;
mod several;
mod stage;
mod state;
mod threads;

pub use beneath::{PlainFile, UnsafeError};
pub use data_folder::{DataFolder, DocumentFormat, FolderError, Owner};
pub use destination::DestinationError;
pub use files::{FoundFiles, StagedFile, find_files, processed_tags, stage_files};
pub use plan::{Fetch, PlanComplaint, plan_inputs, plan_outputs};
pub use progress::{Progress, ProgressSink};
pub use several::Several;
pub use stage::{StageError, StagedTable, stage_tables};
pub use state::{InputsSeen, State, StateError, read_state};
