//! `longshore.yaml` and the environment become [`Settings`]: defaults, under the file, under `LONGSHORE_*`.
//! The only reader of the environment. Other rooms get their own options out of this, never the whole.

mod environment;
mod git;
mod machine;
mod network;
mod notices;
mod outlook;
mod outputs;
mod registries;
mod secret;
mod secrets;
mod shared;
mod unknown;
mod worker;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::component::document::{self, Fields, Item, Node, Place, Report, Value};
use crate::component::{
    Complaint, Complaints, Preset, Presets, ReadError, parse_bytes, parse_duration, read_positive,
    read_presets, read_text,
};

pub(crate) use environment::process_environment;
pub(crate) use secrets::SecretOptions;
pub(crate) use unknown::Variables;

use crate::blob::S3Options;
use crate::catalog::PostgresOptions;
use crate::egress::EgressOptions;
use crate::image::GitOptions;
use crate::image::RegistryAccess;
use crate::job::OutputLimits;
use crate::queue::QueueOptions;
use crate::telemetry::{LogFormat, OtlpOptions};
use crate::worker::WorkerOptions;
use machine::Machine;

const FILE_NAME: &str = "longshore.yaml";

/// Everything that is set for a project. Folders are absolute or relative to where the process runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// The file these came from, if there is one.
    pub file: Option<PathBuf>,
    /// The folder of the file, else the one where Longshore was started.
    pub project_dir: PathBuf,
    /// Catalog and blobs of the local project.
    pub state_dir: PathBuf,
    pub component_specs_dir: PathBuf,
    /// Where data folders are made; on the file system of the blobs, staging can link instead of copying.
    pub work_dir: PathBuf,
    /// The container engine's address; `None` is the default socket.
    pub engine_host: Option<String>,
    /// Whether blobs are forced to disk before they are published.
    pub sync: bool,
    pub column_names: ColumnNames,
    /// How many messages of a job the catalog keeps.
    pub events_max: u64,
    /// How long the outputs of a failed job are kept.
    pub quarantine_retention: Duration,
    /// Between asking a container to stop and killing it.
    pub stop_grace: Duration,
    /// How long an engine may be away while a container runs.
    pub engine_patience: Duration,
    pub outputs: OutputLimits,
    pub log_bytes_max: u64,
    /// Kept free of the disks that containers write to; `None`: what suits the disk.
    pub disk_reserve: Option<u64>,
    /// With the ceilings.
    pub presets: Presets,
    /// `None`: a file in the state folder.
    pub catalog: Option<PostgresOptions>,
    /// `None`: a folder in the state folder.
    pub blobs: Option<S3Options>,
    /// `None`: jobs come from the command line only.
    pub queue: Option<QueueOptions>,
    pub worker: WorkerOptions,
    /// Where a worker answers for its health; `None`: nowhere.
    pub http: Option<SocketAddr>,
    pub log_format: LogFormat,
    pub otlp: Option<OtlpOptions>,
    /// Where images may be built from.
    pub git: GitOptions,
    /// How components are kept from what they may not reach.
    pub network: EgressOptions,
    /// Who we are at the registries of images.
    pub registries: RegistryAccess,
    pub secrets: SecretOptions,
}

/// What becomes of column names with other characters than `A-Z a-z 0-9 _`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnNames {
    Keep,
    Sanitize,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("the project {path} is not a folder that is there: make it, or correct --project or LONGSHORE_PROJECT_DIR", path = .path.display())]
    NoProject { path: PathBuf },
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error("{0}")]
    Invalid(Complaints),
}

impl Settings {
    /// The settings of `project`, or of the nearest folder from `start` upwards that has a `longshore.yaml`, or the
    /// defaults. Blocking.
    pub(crate) fn load(
        start: &Path,
        project: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let project =
            project.map(Path::to_owned).or_else(|| environment("LONGSHORE_PROJECT_DIR").map(PathBuf::from));
        let file = match &project {
            Some(project) if !project.is_dir() => {
                return Err(SettingsError::NoProject { path: project.clone() });
            }
            Some(project) => Some(project.join(FILE_NAME)).filter(|file| file.is_file()),
            None => start.ancestors().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file()),
        };
        let folder = file.as_deref().and_then(Path::parent).map(Path::to_owned);
        let project_dir = folder.or(project).unwrap_or_else(|| start.to_owned());
        let text = match &file {
            Some(path) => read_text(path)?,
            None => String::new(),
        };
        let name = file.as_ref().map_or_else(|| FILE_NAME.to_owned(), |file| file.display().to_string());
        let mut settings =
            read(&text, &name, project_dir, &environment, &Machine::of).map_err(SettingsError::Invalid)?;
        settings.file = file;
        settings.registries.docker_config_dir = registries::docker_config_dir(&environment);
        settings.engine_host = settings.engine_host.or_else(|| environment("DOCKER_HOST"));
        Ok(settings)
    }
}

fn read(
    text: &str,
    file: &str,
    project_dir: PathBuf,
    environment: &dyn Fn(&str) -> Option<String>,
    machine: &dyn Fn(&Path) -> Machine,
) -> Result<Settings, Complaints> {
    let mut node = document::parse(text, file)?;
    if node.value == Value::Null {
        node = Node { place: Place::default(), value: Value::Map(Vec::new()) };
    }
    let overrides = environment::lay_over(&mut node, environment);
    let report = Report::new(file);
    let fields = Item::root(&node, "", &report).fields();
    let settings = fields.map(|fields| read_settings(fields, project_dir, environment, machine));
    let complaints = report.into_complaints().into_iter().map(|complaint| {
        // A mistake in the environment is not one of the file.
        match overrides.iter().find(|(path, _variable)| *path == complaint.path) {
            Some((_path, variable)) => Complaint { file: variable.clone(), ..complaint },
            None => complaint,
        }
    });
    Complaints::check(settings, complaints.collect())
}

fn read_settings(
    mut fields: Fields<'_>,
    project_dir: PathBuf,
    environment: &dyn Fn(&str) -> Option<String>,
    machine: &dyn Fn(&Path) -> Machine,
) -> Settings {
    let mut folder = |key| fields.filled(key).and_then(|item| item.text()).map(|text| project_dir.join(text));
    let state_dir = folder("state_dir").unwrap_or_else(|| project_dir.join(".longshore"));
    let component_specs_dir =
        folder("component_specs_dir").unwrap_or_else(|| project_dir.join("component-specs"));
    let work_dir = folder("work_dir").unwrap_or_else(|| state_dir.join("work"));
    let words = [("keep", ColumnNames::Keep), ("sanitize", ColumnNames::Sanitize)];
    let mut duration = |key, seconds| {
        let said = fields.get(key).and_then(|item| item.amount(parse_duration));
        said.unwrap_or(Duration::from_secs(seconds))
    };
    let quarantine_retention = duration("quarantine_retention", 7 * 86_400);
    let stop_grace = duration("stop_grace", 10);
    let engine_patience = duration("engine_patience", 60);
    let mut count = |key, default| fields.get(key).and_then(|item| read_positive(&item)).unwrap_or(default);
    let events_max = count("events_max", 10_000);
    let output_files_max = count("output_files_max", OutputLimits::default().files_max);
    let presets = read_presets(fields.get("presets"), fields.get("ceilings"));
    let small = presets.of(Preset::DEFAULT);
    let folder = &project_dir;
    let catalog = fields.get("catalog");
    let settings = Settings {
        file: None,
        secrets: secrets::read_secrets(fields.get("secrets"), folder, catalog.is_some()),
        catalog: catalog.and_then(|item| shared::read_catalog(&item, folder)),
        blobs: fields.get("blobs").and_then(|item| shared::read_blobs(&item, folder)),
        queue: fields.get("queue").and_then(|item| shared::read_queue(&item, folder)),
        worker: worker::read_worker(fields.get("worker"), &machine(&work_dir), &small),
        http: outlook::read_http(fields.get("http")),
        log_format: fields
            .get("log")
            .and_then(|item| outlook::read_log_format(&item))
            .unwrap_or(LogFormat::Text),
        registries: fields
            .get("registries")
            .map(|item| registries::read_registries(&item, folder, environment))
            .unwrap_or_default(),
        otlp: fields.get("otlp").and_then(|item| outlook::read_otlp(&item)),
        network: network::read_network(fields.get("network")),
        git: git::read_git(fields.get("git"), folder, environment),
        state_dir,
        component_specs_dir,
        work_dir,
        engine_host: fields.filled("engine_host").and_then(|item| item.text()).map(str::to_owned),
        sync: fields.get("sync").and_then(|item| item.flag()).unwrap_or(true),
        column_names: fields
            .get("column_names")
            .and_then(|item| item.one_of(&words))
            .unwrap_or(ColumnNames::Keep),
        events_max,
        quarantine_retention,
        stop_grace,
        engine_patience,
        outputs: outputs::read_outputs(fields.get("outputs"), output_files_max),
        disk_reserve: fields.get("disk_reserve").and_then(|item| item.amount(parse_bytes)),
        log_bytes_max: fields
            .get("log_bytes_max")
            .and_then(|item| item.amount(parse_bytes))
            .unwrap_or(1 << 30),
        presets,
        project_dir,
    };
    fields.finish();
    settings
}

#[cfg(test)]
mod tests;
