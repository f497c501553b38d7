use std::path::PathBuf;

use serde_json::json;

use crate::cli::exit::{Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::cli::sealing;
use crate::cli::submit::{checked, spec};
use crate::component;
use crate::job::{ComponentId, ConfigurationId};
use crate::secret::Binding;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Whose configuration
    component: ComponentId,
    /// Its id: what a job names
    id: ConfigurationId,
    /// YAML or JSON; `/dev/stdin` reads a pipe
    file: PathBuf,
    /// Why it was changed
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let Arguments { component, id, file, note } = arguments;
    let text = component::read_text(&file).map_err(|error| Trouble::user(chain(&error)))?;
    let spec = spec(&component, home, printer)?;
    let shown = file.display().to_string();
    checked(&text, &shown, &id, (&component, spec.as_ref()), home)?;
    let newest = home.catalog.configuration(&component, &id, None).await?;
    let before = newest.as_ref().map(|stored| stored.version);
    let stored = newest.as_ref().map(|stored| stored.document.as_str());
    let binding = Binding { component: &component, configuration: Some(&id) };
    let (text, sealed) = sealing::sealed_text(text, &shown, binding, stored, home).await?;
    let version = home.catalog.put_configuration(&component, &id, &text, note.as_deref()).await?;
    let is_new = before != Some(version);
    if printer.format == Format::Json {
        let report = json!({ "component": component.as_str(), "id": id.as_str(), "version": version, "is_new": is_new });
        printer.report(&report, String::new)?;
    }
    if let Some(sealed) = sealed {
        printer.note(&sealed);
    }
    printer.note(&if is_new {
        format!("stored {component} {id} as version {version}")
    } else {
        format!("{component} {id} is the same as version {version} already: nothing was stored")
    });
    Ok(())
}
