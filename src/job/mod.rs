//! The dictionary: the words every other room speaks. Ids, mappings, requests, states, outcomes.
//! Imports nothing of ours, does no IO, knows no wire format.

mod exit;
mod hidden;
mod ids;
mod ledger;
mod mapping;
mod outcome;
mod output_limits;
mod request;
mod state;
mod table;

pub(crate) use exit::{BadExit, CleanExit, Exit, Scarce, SizeKind, StartFailure};
pub(crate) use hidden::Hidden;
pub(crate) use ids::{
    AttemptNumber, ComponentId, ConfigurationId, ContentHash, FileId, IdError, ImageId, JobId, RowId,
    VersionNumber, WorkerId,
};
pub(crate) use ledger::{Phase, PhaseEntry, PhaseLedger, Usage};
pub(crate) use mapping::{
    ChangedSince, DeleteWhere, FileOptions, FileQuery, Filter, FilterOperator, InputFile, InputMapping,
    InputTable, LoadKind, OutputFile, OutputMapping, OutputTable, TableOptions,
};
pub(crate) use outcome::{Blame, Failure, FailureCode, FileReceipt, Outcome, Receipt, TableReceipt};
pub(crate) use output_limits::OutputLimits;
pub(crate) use request::{JobRequest, Priority, RunMode};
pub(crate) use state::{JobEnd, JobState, JobStatus};
pub(crate) use table::{TableId, TableIdError};
