use std::path::{Path, PathBuf};

use serde::Serialize;

use super::encrypt::values;
use super::replace::replace_file;
use crate::catalog::Catalog;
use crate::cli::exit::{ExitStatus, Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::component;
use crate::configuration::reseal_text;
use crate::secret::Keys;
use crate::settings::Settings;
use crate::sweep::Trade;

const CHANGED: &str = "was changed meanwhile: rotate again";
const NOTE: &str = "secrets encrypted to another key";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Configuration files and specs; nothing: the stored configurations and states of the catalog
    files: Vec<PathBuf>,
}

/// What was rotated.
#[derive(Debug, Default, Serialize)]
struct Report {
    values: usize,
    files: usize,
    configurations: usize,
    states: usize,
    #[serde(skip)]
    refused: Vec<String>,
}

pub(super) async fn act(arguments: Arguments, settings: Settings, printer: Printer) -> Result<(), Trouble> {
    let keys = settings.secret_rules().keyring.read(false)?;
    if !keys.can_open() {
        return Err(Trouble::user("there is no key here that opens anything")
            .hint("set `secrets.identity_file` to a file with the new key and, below it, the old ones"));
    }
    let mut report = Report::default();
    if arguments.files.is_empty() {
        let home = Box::pin(Home::open(settings, Trade::Command, printer)).await?;
        let rotated = rotate_catalog(&home.catalog, &keys, &mut report).await;
        home.close().await;
        rotated?;
    } else {
        for path in &arguments.files {
            rotate_file(path, &keys, &mut report)?;
        }
    }
    let words = format!(
        "{} encrypted to {}, in {} files, {} configurations, {} states\n",
        values(report.values),
        keys.public().unwrap_or_default(),
        report.files,
        report.configurations,
        report.states
    );
    printer.report(&report, || words)?;
    if report.refused.is_empty() {
        return Ok(());
    }
    let hint = "what could be opened was encrypted anew; keep the old keys until nothing is refused";
    Err(Trouble { status: ExitStatus::User, messages: report.refused, hint: Some(hint.to_owned()) })
}

fn rotate_file(path: &Path, keys: &Keys, report: &mut Report) -> Result<(), Trouble> {
    let shown = path.display().to_string();
    let text = component::read_text(path).map_err(|error| Trouble::user(chain(&error)))?;
    match reseal_text(&text, &shown, keys) {
        Ok((_, 0)) => {}
        Ok((text, count)) => {
            replace_file(path, text.as_bytes()).map_err(|error| Trouble::platform(&error))?;
            report.values += count;
            report.files += 1;
        }
        Err(error) => report.refused.push(format!("{shown}: {error}")),
    }
    Ok(())
}

/// The newest versions of configurations become new versions. What somebody changed meanwhile is told: whoever threw the old
/// keys away now would lose it.
async fn rotate_catalog(catalog: &Catalog, keys: &Keys, report: &mut Report) -> Result<(), Trouble> {
    for stored in catalog.configurations().await? {
        let shown = format!("{} {}", stored.component, stored.id);
        match reseal_text(&stored.document, &shown, keys) {
            Ok((_, 0)) => {}
            Ok((text, count)) => {
                if catalog.follow_configuration(&stored, &text, Some(NOTE)).await? {
                    report.values += count;
                    report.configurations += 1;
                } else {
                    report.refused.push(format!("{shown}: {CHANGED}"));
                }
            }
            Err(error) => report.refused.push(format!("{shown}: {error}")),
        }
    }
    for (key, document) in catalog.states().await? {
        let shown = format!("the state of {} {}", key.component, key.configuration);
        match reseal_text(&document, "state.json", keys) {
            Ok((_, 0)) => {}
            Ok((text, count)) => {
                if catalog.replace_state(&key, &document, &text).await? {
                    report.values += count;
                    report.states += 1;
                } else {
                    report.refused.push(format!("{shown}: {CHANGED}"));
                }
            }
            Err(error) => report.refused.push(format!("{shown}: {error}")),
        }
    }
    Ok(())
}
