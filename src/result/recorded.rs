//! A job's document as whoever asks gets it: what its runner wrote last, and what has become of the job since. A runner that
//! died, or whose job others ended, has not written the end.

use serde_json::Value;

use super::{ErrorPart, OutputPart};
use crate::catalog::{Catalog, CatalogError, JobRecord};
use crate::job::{Failure, JobState, RunMode};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordedError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("the document of the job is no JSON")]
    Broken(#[from] serde_json::Error),
}

/// The document of a job on record, whoever ended it.
pub(crate) async fn recorded(catalog: &Catalog, record: JobRecord) -> Result<Value, RecordedError> {
    let status = record.state.status();
    let mut document: Value = serde_json::from_str(record.result.as_deref().unwrap_or("{}"))?;
    let is_final = document["status"] == status.as_str();
    document["job"] = record.id.to_string().into();
    document["status"] = status.as_str().into();
    if let JobState::Done { end, ended, .. } = record.state {
        if !is_final {
            let failure = end.code.map(|code| Failure {
                code,
                message: end.message.clone(),
                detail: end.message.clone(),
            });
            document["error"] = serde_json::to_value(failure.as_ref().map(ErrorPart::of))?;
            document["ended"] = ended.to_string().into();
        }
        document["message"] = end.message.into();
    }
    // What a debug job has stored are its archives, which the document tells.
    let is_debug = document["mode"] == RunMode::Debug.as_str();
    if !is_debug && document["output"]["tables"].as_array().is_none_or(Vec::is_empty) {
        document["output"] = serde_json::to_value(OutputPart::of(&catalog.outputs_of(record.id).await?))?;
    }
    Ok(document)
}
