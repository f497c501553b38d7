//! `longshore component …`: needs no project, so nothing is opened.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use super::exit::{ExitStatus, Trouble, chain};
use super::print::{Printer, bytes_text, grid};
use crate::component::{self, Component, LoadError};
use crate::configuration;
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
}

pub(super) fn act(verb: Verb, settings: &Settings, printer: Printer) -> Result<ExitStatus, Trouble> {
    match verb {
        Verb::Ls => list(settings, printer),
        Verb::Check { spec, config } => check(&spec, config, settings, printer),
    }?;
    Ok(ExitStatus::Success)
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

fn check(spec: &str, config: Option<PathBuf>, settings: &Settings, printer: Printer) -> Result<(), Trouble> {
    let mut messages = Vec::new();
    let component = match component::load(spec, &settings.component_specs_dir, &settings.presets) {
        Ok(component) => Some(component),
        Err(error) => {
            messages.extend(load_trouble(&error).messages);
            None
        }
    };
    if let Some(path) = config {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Trouble::user(format!("cannot read the configuration {file}: {error}")))?;
        let parsed = configuration::parse(&text, &file);
        messages.extend(parsed.complaints.iter().map(ToString::to_string));
        // Where the spec is broken, the configuration is still checked for all that depends on no spec.
        let stand_in =
            || component::parse_spec("{id: any, image: {uri: any}}", "any.yaml", &settings.presets).ok();
        if let Some(component) = component.clone().or_else(stand_in) {
            let (_units, found) = parsed.configuration.units(&component, None, jiff::Timestamp::now());
            messages.extend(found.iter().map(ToString::to_string));
        }
    }
    match component {
        Some(component) if messages.is_empty() => {
            printer.note(&format!("{} is fine", component.id));
            Ok(())
        }
        Some(_) | None => Err(Trouble { status: ExitStatus::User, messages, hint: None }),
    }
}

/// Every complaint a line of its own.
pub(super) fn load_trouble(error: &LoadError) -> Trouble {
    let messages = match error {
        LoadError::Invalid(complaints) => complaints.0.iter().map(ToString::to_string).collect(),
        LoadError::Unreadable { .. } | LoadError::NotFound { .. } => vec![chain(error)],
    };
    Trouble { status: ExitStatus::User, messages, hint: None }
}
