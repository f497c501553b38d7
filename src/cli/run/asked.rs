//! What the command line asks for: component, configuration and tables, all checked before anything happens.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;

use super::Arguments;
use crate::catalog::TableVersion;
use crate::cli::component::{configuration_id, load_trouble};
use crate::cli::exit::{ExitStatus, Trouble, chain};
use crate::cli::home::Home;
use crate::component::{self, Component, ImageSource, ReadError};
use crate::configuration::{self, Parsed};
use crate::job::{ConfigurationId, JobId, JobRequest, LoadKind, TableId, VersionNumber};
use crate::runner::{self, Order, Pretended};

/// `ID=FILE`.
#[derive(Debug, Clone)]
pub(in crate::cli) struct TableFile {
    pub(in crate::cli) table: TableId,
    pub(in crate::cli) file: PathBuf,
}

impl FromStr for TableFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((table, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
            return Err("expected ID=FILE, e.g. in.c-main.orders=orders.csv".to_owned());
        };
        let table = table.parse().map_err(|error: crate::job::TableIdError| error.to_string())?;
        Ok(Self { table, file: file.into() })
    }
}

/// The order, or all that is wrong with it.
pub(super) async fn order(arguments: &Arguments, home: &Home) -> Result<Order, Trouble> {
    let settings = &home.settings;
    let loaded = component::load(&arguments.component, &settings.component_specs_dir, &settings.presets);
    let component = loaded.map_err(|error| load_trouble(&error))?;
    if arguments.tag.is_some() && matches!(component.image, ImageSource::Build { .. }) {
        let id = &component.id;
        return Err(Trouble::usage(format!(
            "--tag: the image of {id} is built, and an image that is built has no tag"
        ))
        .hint("name the source in the spec: `image.build.ref` for a git repository"));
    }
    let (parsed, id) = configuration(arguments.config.as_deref())?;
    let (pretended, mut messages) = pretended(&arguments.tables);
    messages.extend(parsed.complaints.iter().map(ToString::to_string));
    let found = runner::complaints(
        &home.catalog,
        &component,
        &parsed.configuration,
        id.as_ref(),
        &pretended,
        &settings.secret_rules(),
    )
    .await?;
    messages.extend(found.iter().map(ToString::to_string));
    if !messages.is_empty() {
        return Err(Trouble {
            status: ExitStatus::User,
            messages,
            hint: Some("nothing was changed".to_owned()),
        });
    }
    Ok(Order {
        job: JobId::fresh(),
        request: request(arguments, &component, id),
        component,
        configuration: parsed.configuration,
    })
}

fn request(
    arguments: &Arguments,
    component: &Component,
    configuration: Option<ConfigurationId>,
) -> JobRequest {
    JobRequest {
        component: component.id.clone(),
        configuration,
        mode: arguments.mode.into(),
        tag: arguments.tag.clone(),
    }
}

fn configuration(path: Option<&Path>) -> Result<(Parsed, Option<ConfigurationId>), Trouble> {
    let Some(path) = path else {
        return Ok((configuration::parse("{}", "(no configuration)"), None));
    };
    let text = component::read_text(path).map_err(|error| Trouble::user(chain(&error)))?;
    let id = configuration_id(path)?;
    Ok((configuration::parse(&text, &path.display().to_string()), Some(id)))
}

/// Heads that the tables will have once they are imported; only their columns count here.
fn pretended(tables: &[TableFile]) -> (Pretended, Vec<String>) {
    let (mut pretended, mut messages) = (Pretended::new(), Vec::new());
    for TableFile { table, file } in tables {
        match columns_of(file) {
            Ok(columns) if columns.is_empty() => {
                messages.push(format!(
                    "--table {table}: {} is empty: its first line must name the columns",
                    file.display()
                ));
            }
            Ok(columns) => {
                if pretended.insert(table.clone(), head(table, columns)).is_some() {
                    messages.push(format!("--table: {table} is given twice"));
                }
            }
            Err(problem) => {
                messages.push(format!("--table {table}: {problem}"));
            }
        }
    }
    (pretended, messages)
}

/// The header's names. The file is read twice, here and by the import, which a pipe cannot be.
fn columns_of(path: &Path) -> Result<Vec<String>, String> {
    let failed = |error: ReadError| chain(&error);
    if !component::check_readable(path).map_err(failed)?.is_file() {
        let shown = path.display();
        return Err(format!("{shown} is not a plain file; load it with `longshore table import` first"));
    }
    let file = File::open(path).map_err(|error| failed(ReadError::of(path, error)))?;
    let mut reader = csv::Reader::from_reader(file);
    let names = reader.headers().map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(names.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect())
}

fn head(table: &TableId, columns: Vec<String>) -> TableVersion {
    TableVersion {
        table: table.clone(),
        version: VersionNumber(1),
        created: Timestamp::now(),
        columns,
        primary_key: Vec::new(),
        rows: 0,
        bytes: 0,
        load: LoadKind::Replace,
        job: None,
        slices: Vec::new(),
    }
}
