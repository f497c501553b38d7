//! The dictionary: the words every other room speaks. Ids, mappings, requests, states, outcomes.
//! Imports nothing of ours, does no IO, knows no wire format.

mod exit;
mod ids;
mod ledger;
mod mapping;
mod outcome;
mod request;
mod state;
mod table;

pub use exit::{BadExit, CleanExit, Exit, StartFailure};
pub use ids::{
    AttemptNumber, ComponentId, ConfigurationId, ContentHash, FileId, IdError, ImageId, JobId, RowId,
    VersionNumber, WorkerId,
};
pub use ledger::{Phase, PhaseEntry, PhaseLedger, Usage};
pub use mapping::{
    ChangedSince, DeleteWhere, FileOptions, FileQuery, Filter, FilterOperator, InputFile, InputMapping,
    InputTable, LoadKind, OutputFile, OutputMapping, OutputTable, TableOptions,
};
pub use outcome::{Blame, Failure, FailureCode, FileReceipt, Outcome, Receipt, TableReceipt};
pub use request::{JobRequest, RunMode};
pub use state::{IllegalMove, JobState, JobStatus};
pub use table::{TableId, TableIdError};
