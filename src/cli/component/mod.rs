//! `longshore component …`: only what runs a component needs a project.

mod certify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::exit::{ExitStatus, Trouble, chain};
use super::print::{Format, Printer, bytes_text, grid};
use super::sealing;
use super::view::{CheckView, ComplaintView};
use crate::component::{self, AskedResources, Complaint, Component, LoadError, Presets};
use crate::configuration::{self, Parsed};
use crate::job::ConfigurationId;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the components of `component-specs/`
    Ls,
    /// Check a spec, and a configuration for it, and report every mistake
    Check {
        /// A spec file, or an id from `component-specs/`
        spec: String,
        /// The configuration to check with it
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Run a component against the contract and report what it keeps of it
    ///
    /// Exit code 0: no required check failed; 3: one did. Nothing is published, and nothing is left behind.
    Certify(certify::Arguments),
}

pub(super) async fn act(verb: Verb, settings: Settings, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls => list(&settings, printer).map(|()| ExitStatus::Success),
        Verb::Check { spec, config } => check(&spec, config.as_deref(), &settings, printer),
        Verb::Certify(arguments) => Box::pin(certify::act(arguments, settings, printer)).await,
    }
}

#[derive(Debug, Serialize)]
struct ComponentView {
    id: String,
    name: String,
    description: String,
    memory_bytes: u64,
    timeout_seconds: u64,
    spec: String,
}

impl ComponentView {
    fn of(component: &Component) -> Self {
        Self {
            id: component.id.to_string(),
            name: component.name.clone(),
            description: component.description.clone(),
            memory_bytes: component.limits.memory_bytes,
            timeout_seconds: component.limits.timeout.as_secs(),
            spec: component.spec_path.display().to_string(),
        }
    }
}

fn list(settings: &Settings, printer: Printer) -> Result<(), Trouble> {
    let folder = &settings.component_specs_dir;
    let specs = component::list_specs(folder, &settings.presets).map_err(|error| load_trouble(&error))?;
    let (mut views, mut broken) = (Vec::new(), Vec::new());
    for spec in specs {
        match spec.component {
            Ok(component) => views.push(ComponentView::of(&component)),
            Err(error) => broken.extend(load_trouble(&error).messages),
        }
    }
    printer.report(&views, || {
        let row = |view: &ComponentView| {
            let timeout = format!("{} s", view.timeout_seconds);
            vec![view.id.clone(), bytes_text(view.memory_bytes), timeout, view.description.clone()]
        };
        let rows: Vec<_> = views.iter().map(row).collect();
        grid(&["COMPONENT", "MEMORY", "TIMEOUT", "DESCRIPTION"], &[false, true, true], &rows)
    })?;
    if broken.is_empty() {
        Ok(())
    } else {
        Err(Trouble { status: ExitStatus::User, messages: broken, hint: None })
    }
}

fn check(
    spec: &str,
    config: Option<&Path>,
    settings: &Settings,
    printer: Printer,
) -> Result<ExitStatus, Trouble> {
    let mut complaints = Vec::new();
    let component = match component::load(spec, &settings.component_specs_dir, &settings.presets) {
        Ok(component) => Some(component),
        Err(LoadError::Invalid(found)) => {
            complaints.extend(found.0);
            None
        }
        Err(error) => {
            complaints.push(unplaced(spec, chain(&error)));
            None
        }
    };
    if let (Some(component), None) = (&component, config) {
        let resources = &component.resources;
        let allotment = resources.allot(AskedResources::default());
        complaints.extend(resources.over_ceilings(&allotment, spec, ""));
    }
    if let Some(path) = config {
        let file = path.display().to_string();
        match component::read_text(path) {
            Ok(text) => {
                let id = configuration_id(path);
                if let Err(trouble) = &id {
                    complaints.push(unplaced(&file, trouble.to_string()));
                }
                let id = id.ok();
                if let Some(component) = &component {
                    let of = (&component.id, Some(component));
                    match sealing::complaints(&text, &file, of, id.as_ref(), settings) {
                        Ok(found) => complaints.extend(found),
                        Err(error) => complaints.push(unplaced("secrets", chain(&error))),
                    }
                }
                complaints.extend(check_configuration(&text, &file, id.as_ref(), component.as_ref()));
            }
            Err(error) => complaints.push(unplaced(&file, chain(&error))),
        }
    }
    if printer.format == Format::Json {
        let id = component.map(|component| component.id.to_string());
        let views: Vec<ComplaintView> = complaints.iter().map(ComplaintView::of).collect();
        let is_valid = views.is_empty();
        printer.report(&CheckView { component: id, is_valid, complaints: views }, String::new)?;
        return Ok(if is_valid { ExitStatus::Success } else { ExitStatus::User });
    }
    match component {
        Some(component) if complaints.is_empty() => {
            printer.note(&format!("{} is fine", component.id));
            Ok(ExitStatus::Success)
        }
        Some(_) | None => {
            let messages = complaints.iter().map(said).collect();
            Err(Trouble { status: ExitStatus::User, messages, hint: None })
        }
    }
}

/// Everything that is wrong with a configuration by its own text. Where there is no spec, or a broken one, it is still
/// checked for all that depends on none.
pub(super) fn check_configuration(
    text: &str,
    file: &str,
    id: Option<&ConfigurationId>,
    component: Option<&Component>,
) -> Vec<Complaint> {
    let Parsed { configuration, mut complaints } = configuration::parse(text, file);
    // Without the settings' ceilings: how much a component gets that nobody knows here, its worker says.
    let stand_in =
        || component::parse_spec("{id: any, image: {uri: any}}", "any.yaml", &Presets::default()).ok();
    if let Some(component) = component.cloned().or_else(stand_in) {
        let (_units, found) = configuration.units(&component, id, jiff::Timestamp::now());
        complaints.extend(found);
    }
    complaints
}

/// The id that a configuration of this file gets.
pub(super) fn configuration_id(path: &Path) -> Result<ConfigurationId, Trouble> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    ConfigurationId::parse(stem).map_err(|error| {
        Trouble::user(format!("{}: {error}", path.display()))
            .hint("the configuration's id is its file name without the ending: rename the file")
    })
}

/// A file that could not even be looked into: the message names it already.
fn unplaced(file: &str, message: String) -> Complaint {
    let file = file.to_owned();
    Complaint { file, line: None, column: None, path: String::new(), message, hint: None }
}

fn said(complaint: &Complaint) -> String {
    if complaint.line.is_none() && complaint.message.contains(&complaint.file) {
        complaint.message.clone()
    } else {
        complaint.to_string()
    }
}

/// Every complaint a line of its own.
pub(super) fn load_trouble(error: &LoadError) -> Trouble {
    let messages = match error {
        LoadError::Invalid(complaints) => complaints.0.iter().map(ToString::to_string).collect(),
        LoadError::Unreadable(_) | LoadError::NotFound { .. } => vec![chain(error)],
    };
    Trouble { status: ExitStatus::User, messages, hint: None }
}
