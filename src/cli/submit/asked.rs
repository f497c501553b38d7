//! What is submitted, checked as far as this machine can: the workers have the specs, we may not.

use super::Arguments;
use crate::cli::component::{check_configuration, configuration_id, load_trouble};
use crate::cli::exit::{ExitStatus, Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::cli::sealing;
use crate::component::{self, Component, LoadError, document};
use crate::job::{ComponentId, ConfigurationId};
use crate::request::RequestDocument;
use crate::secret::Binding;

/// The request, or all that is wrong with it.
pub(super) async fn document(
    arguments: &Arguments,
    home: &Home,
    printer: Printer,
) -> Result<RequestDocument, Trouble> {
    let component = spec(&arguments.component, home, printer)?;
    let (configuration, data) = match (&arguments.config, &arguments.configuration) {
        (Some(path), id) => {
            let text = component::read_text(path).map_err(|error| Trouble::user(chain(&error)))?;
            let id = id.clone().map_or_else(|| configuration_id(path), Ok)?;
            let file = path.display().to_string();
            let data = checked(&text, &file, &id, (&arguments.component, component.as_ref()), home)?;
            let binding = Binding { component: &arguments.component, configuration: Some(&id) };
            let data = sealing::sealed_data(data, binding, home).await?;
            (Some(id), Some(data))
        }
        (None, Some(id)) => {
            stored(&arguments.component, id, home).await?;
            (Some(id.clone()), None)
        }
        (None, None) => (None, None),
    };
    Ok(RequestDocument {
        component: arguments.component.clone(),
        configuration,
        data,
        mode: arguments.mode.into(),
        tag: arguments.tag.clone(),
        priority: Some(arguments.priority.into()),
    })
}

/// The component's spec where there is one; a broken one is told at once.
pub(in crate::cli) fn spec(
    id: &ComponentId,
    home: &Home,
    printer: Printer,
) -> Result<Option<Component>, Trouble> {
    let settings = &home.settings;
    match component::load(id.as_str(), &settings.component_specs_dir, &settings.presets) {
        // Found as a file of that name, which workers do not have.
        Ok(component) if component.id != *id => Err(Trouble::user(format!(
            "{id} is a file; expected the id of a component, here {}",
            component.id
        ))),
        Ok(component) => Ok(Some(component)),
        Err(error @ LoadError::NotFound { .. }) => {
            printer.note(&format!("{error}: not checked here, the worker will"));
            Ok(None)
        }
        Err(error @ (LoadError::Invalid(_) | LoadError::Unreadable(_))) => Err(load_trouble(&error)),
    }
}

/// A configuration's text as JSON, when nothing is wrong with it. Tables are left to the worker: a job before this
/// one may still make them.
pub(in crate::cli) fn checked(
    text: &str,
    file: &str,
    id: &ConfigurationId,
    component: (&ComponentId, Option<&Component>),
    home: &Home,
) -> Result<serde_json::Value, Trouble> {
    let mut complaints = check_configuration(text, file, Some(id), component.1);
    complaints.extend(sealing::complaints(text, file, component, Some(id), &home.settings)?);
    if complaints.is_empty() {
        return match document::parse(text, file) {
            Ok(node) => Ok(node.to_json()),
            Err(complaints) => Err(trouble(&complaints.0)),
        };
    }
    Err(trouble(&complaints))
}

fn trouble(complaints: &[component::Complaint]) -> Trouble {
    let messages = complaints.iter().map(ToString::to_string).collect();
    Trouble { status: ExitStatus::User, messages, hint: Some("nothing was changed".to_owned()) }
}

async fn stored(component: &ComponentId, id: &ConfigurationId, home: &Home) -> Result<(), Trouble> {
    if home.catalog.configuration(component, id, None).await?.is_some() {
        return Ok(());
    }
    Err(Trouble::user(format!("{component} has no stored configuration {id}")).hint(format!(
        "longshore config ls lists them; longshore config put {component} {id} FILE stores one"
    )))
}
