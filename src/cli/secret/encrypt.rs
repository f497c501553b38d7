use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::prompt;
use super::replace::replace_file;
use crate::cli::exit::{Trouble, chain};
use crate::cli::home::make_state_dir;
use crate::cli::print::{Format, Printer};
use crate::component;
use crate::configuration::{RewriteError, seal_text};
use crate::job::{ComponentId, ConfigurationId};
use crate::secret::{self, Binding, Keys};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component in whose configurations the value may stand; elsewhere it does not open
    #[arg(long, value_name = "ID")]
    component: ComponentId,
    /// Only in this configuration of it
    #[arg(long, value_name = "ID")]
    configuration: Option<ConfigurationId>,
    /// Encrypt to this public key instead of the settings'
    #[arg(long = "recipient", value_name = "age1…")]
    recipients: Vec<String>,
    /// Encrypt every plain value under a `#` key of this file, YAML or JSON, and print the file
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Write the file of --config instead of printing it
    // Clap does not require what conflicts with an argument that is there, so a FILE needs its own word.
    #[arg(long, requires = "config", conflicts_with = "file")]
    in_place: bool,
    /// Holds the value; `-` or nothing: standard input
    file: Option<PathBuf>,
}

pub(super) fn act(arguments: &Arguments, settings: &Settings, printer: Printer) -> Result<(), Trouble> {
    let keys = keys(arguments, settings)?;
    let binding =
        Binding { component: &arguments.component, configuration: arguments.configuration.as_ref() };
    if let Some(path) = &arguments.config {
        return file(path, arguments.in_place, binding, &keys, printer);
    }
    let value = prompt::value(arguments.file.as_deref(), printer)?;
    let sealed = secret::seal(&Value::String(value.to_string()), binding, &keys)?;
    match printer.format {
        Format::Text => printer.data(format!("{sealed}\n").as_bytes()),
        Format::Json => printer.report(&json!({ "value": sealed }), String::new),
    }
}

fn keys(arguments: &Arguments, settings: &Settings) -> Result<Keys, Trouble> {
    if !arguments.recipients.is_empty() {
        return Ok(Keys::default().with_recipients(&arguments.recipients)?);
    }
    let keyring = settings.secret_rules().keyring;
    if keyring.makes_its_own() {
        // With the file that keeps it out of a repository.
        make_state_dir(&settings.state_dir).map_err(|error| Trouble::platform(&error))?;
    }
    Ok(keyring.read(true)?)
}

fn file(
    path: &Path,
    in_place: bool,
    binding: Binding<'_>,
    keys: &Keys,
    printer: Printer,
) -> Result<(), Trouble> {
    let text = component::read_text(path).map_err(|error| Trouble::user(chain(&error)))?;
    let shown = path.display().to_string();
    let sealed = seal_text(&text, &shown, binding, keys).map_err(|error| match error {
        RewriteError::Unreadable(complaints) => Trouble::user(complaints.to_string()),
        RewriteError::Seal(error) => error.into(),
    })?;
    if let Some(place) = sealed.stuck_at.filter(|_place| in_place) {
        let place = format!("{shown}:{}:{}", place.line, place.column);
        return Err(Trouble::user(format!(
            "{place}: the secret that stands here cannot be replaced without a change of the layout: nothing was \
             changed"
        ))
            .hint(
                "write the secret as one text in quotes, or take the JSON that is printed without --in-place",
            ));
    }
    if in_place {
        replace_file(path, sealed.text.as_bytes()).map_err(|error| Trouble::platform(&error))?;
    } else {
        printer.data(sealed.text.as_bytes())?;
    }
    printer.note(&format!("{} of {shown} encrypted", values(sealed.count)));
    Ok(())
}

pub(super) fn values(count: usize) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}
