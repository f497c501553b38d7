//! From a job's request document to an order: its component's spec and its configuration, loaded and parsed.

use std::path::PathBuf;

use super::admission::Share;
use crate::catalog::{AcceptedRequest, Catalog, CatalogError};
use crate::component::{self, Component, LoadError, Presets};
use crate::configuration;
use crate::failure;
use crate::job::{ComponentId, ConfigurationId, Failure, FailureCode, JobId, JobRequest};
use crate::request::{self, RequestDocument};
use crate::runner::Order;

/// The folder of specs that this worker knows.
#[derive(Debug, Clone)]
pub(crate) struct Specs {
    pub(crate) folder: PathBuf,
    pub(crate) presets: Presets,
}

impl Specs {
    /// The component of an id, or why there is none.
    pub(super) async fn component(&self, id: &ComponentId) -> Result<Component, Failure> {
        let (specs, name) = (self.clone(), id.to_string());
        let loaded = tokio::task::spawn_blocking(move || {
            component::load(&name, &specs.folder, &specs.presets).map_err(|error| unknown(&name, &error))
        });
        loaded.await.unwrap_or_else(|panicked| Err(unrunnable(id.as_str(), &panicked.to_string())))
    }
}

fn unrunnable(id: &str, why: &str) -> Failure {
    invalid(format!("component {id} cannot be run: {why}"))
}

/// In which folder of which worker there is no such spec is for the operator alone.
fn unknown(id: &str, error: &LoadError) -> Failure {
    let detail = failure::chain(error);
    match error {
        LoadError::NotFound { similar, .. } => {
            let hint = similar.as_ref().map(|id| format!(" (did you mean {id}?)")).unwrap_or_default();
            let told = unrunnable(id, &format!("this worker has no spec of that id{hint}"));
            Failure { detail, ..told }
        }
        LoadError::Unreadable(_) | LoadError::Invalid(_) => unrunnable(id, &detail),
    }
}

fn invalid(message: String) -> Failure {
    Failure { code: FailureCode::ConfigurationInvalid, detail: message.clone(), message }
}

/// The order of a job. The outer error is the catalog's, the inner one the job's own.
pub(super) async fn order(
    job: JobId,
    request: &AcceptedRequest,
    component: Component,
    catalog: &Catalog,
) -> Result<Result<Order, Failure>, CatalogError> {
    let asked = match request::parse(request.document.as_bytes(), "request") {
        Ok(asked) => asked,
        Err(complaints) => return Ok(Err(invalid(complaints.to_string()))),
    };
    let (text, name) = match (&asked.data, &asked.configuration) {
        (Some(data), _) => (data.to_string(), "request".to_owned()),
        (None, Some(id)) => {
            // The version that was newest when the job was accepted, in every attempt.
            match catalog.configuration(&asked.component, id, request.configuration_version).await? {
                Some(stored) => (stored.document, format!("configuration {id}")),
                None => return Ok(Err(not_stored(&asked.component, id))),
            }
        }
        (None, None) => ("{}".to_owned(), "(no configuration)".to_owned()),
    };
    let parsed = configuration::parse(&text, &name);
    if !parsed.complaints.is_empty() {
        let lines: Vec<String> = parsed.complaints.iter().map(ToString::to_string).collect();
        return Ok(Err(invalid(lines.join("\n"))));
    }
    let RequestDocument { component: id, configuration, mode, tag, .. } = asked;
    let asked = JobRequest { component: id, configuration, mode, tag };
    Ok(Ok(Order { job, request: asked, component, configuration: parsed.configuration }))
}

fn not_stored(component: &ComponentId, id: &ConfigurationId) -> Failure {
    invalid(format!(
        "configuration {id} of {component} is not stored: `longshore config put {component} {id} FILE`, or send it with the job as `data`"
    ))
}

/// What a job may use by its spec and its configuration. One that cannot be read needs no room to be told so.
pub(super) async fn share(
    job: JobId,
    request: &AcceptedRequest,
    component: &Component,
    catalog: &Catalog,
) -> Result<Share, CatalogError> {
    let order = order(job, request, component.clone(), catalog).await?;
    Ok(order.map_or(Share::SLOT, |order| Share::of(&order.configuration.limits(&order.component))))
}
