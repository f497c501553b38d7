//! The life of a container, call by call.

use std::path::PathBuf;

use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, KillContainerOptions, ListContainersOptions,
    RemoveContainerOptions, StartContainerOptions,
};
use jiff::Timestamp;
use serde_json::Value;

use super::profile::{NewContainer, create_body};
use super::{Engine, EngineError};

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalOutcome {
    Delivered,
    /// The container had ended by itself, or is gone.
    NotRunning,
}

/// The part of an inspection that decides something, and the whole of it for the record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InspectedContainer {
    pub state: ContainerState,
    /// The parent cgroup it was created with.
    pub cgroup_parent: Option<String>,
    /// The engine's document without the environment, which may hold secrets.
    pub document: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ContainerState {
    pub running: bool,
    /// It ran at some time, now or before.
    pub started: bool,
    pub exit_code: i64,
    pub oom_killed: bool,
    /// The engine's words about a failed start.
    pub error: String,
}

/// A container found by label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundContainer {
    pub id: String,
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub created: Timestamp,
}

impl FoundContainer {
    /// One of our own labels, by its name after `longshore.`.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let is_meant = |label: &str| label.strip_prefix("longshore.") == Some(name);
        self.labels.iter().find(|(label, _)| is_meant(label)).map(|(_, value)| value.as_str())
    }
}

impl Engine {
    /// Makes a container and does not start it. Gives its id.
    pub(crate) async fn create_container(&self, new: NewContainer<'_>) -> Result<String, EngineError> {
        let subject = format!("container {}", new.name);
        let options =
            CreateContainerOptions { name: Some(new.name.into()), ..CreateContainerOptions::default() };
        let body = create_body(new);
        let made = self.order("create", &subject, self.docker.create_container(Some(options), body)).await?;
        Ok(made.id)
    }

    /// Starts a container. [`EngineError::Silent`] means that it may have started all the same.
    pub(crate) async fn start_container(&self, id: &str) -> Result<(), EngineError> {
        let started = self.docker.start_container(id, None::<StartContainerOptions>);
        self.order("start", &subject(id), started).await
    }

    /// Sends a signal such as `SIGTERM` to the container's first process.
    pub(crate) async fn signal_container(
        &self,
        id: &str,
        signal: &str,
    ) -> Result<SignalOutcome, EngineError> {
        let options = KillContainerOptions { signal: signal.into() };
        match self.order("signal", &subject(id), self.docker.kill_container(id, Some(options))).await {
            Ok(()) => Ok(SignalOutcome::Delivered),
            Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(SignalOutcome::NotRunning),
            // Engines before 20.10 give 500 for a container that has ended.
            Err(EngineError::Refused { message, .. }) if message.contains("is not running") => {
                Ok(SignalOutcome::NotRunning)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn inspect_container(&self, id: &str) -> Result<InspectedContainer, EngineError> {
        let asked = self.docker.inspect_container(id, None::<InspectContainerOptions>);
        let response = self.ask("inspect", &subject(id), asked).await?;
        inspected(id, response)
    }

    /// Bytes that the container has written over its image's files, where the engine keeps count. Walks through them.
    pub(crate) async fn written_bytes(&self, id: &str) -> Result<Option<u64>, EngineError> {
        let options = Some(InspectContainerOptions { size: true });
        let asked = self.docker.inspect_container(id, options);
        let response = self.ask("measure", &subject(id), asked).await?;
        Ok(response.size_rw.and_then(|bytes| u64::try_from(bytes).ok()))
    }

    /// The folder of this machine with what the container has changed in its image's files; `None` where the engine is
    /// elsewhere or keeps them otherwise. Whether it can be read is for the caller to see.
    pub(crate) async fn changed_files(&self, id: &str) -> Option<PathBuf> {
        let inspected = self.inspect_container(id).await.ok().filter(|_| self.address.is_local())?;
        // As the overlay drivers of Docker say it: https://docs.docker.com/engine/storage/drivers/overlayfs-driver
        let folder = inspected.document["GraphDriver"]["Data"]["UpperDir"].as_str()?;
        Some(PathBuf::from(folder))
    }

    /// The folders of this machine with a container's anonymous volumes, which its image asks for; none where the engine
    /// is elsewhere. Whether they can be read is for the caller to see.
    pub(crate) async fn volume_folders(&self, id: &str) -> Vec<PathBuf> {
        let inspected = self.inspect_container(id).await.ok().filter(|_| self.address.is_local());
        let mounts = inspected.and_then(|inspected| inspected.document["Mounts"].as_array().cloned());
        let volumes = mounts.into_iter().flatten().filter(|mount| mount["Type"] == "volume");
        volumes.filter_map(|mount| mount["Source"].as_str().map(PathBuf::from)).collect()
    }

    /// Removes a container, running or not, with its anonymous volumes. A container that is gone or on its way
    /// out counts as removed.
    pub(crate) async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        match self.order("remove", &subject(id), self.docker.remove_container(id, Some(options))).await {
            Ok(()) => Ok(()),
            Err(error) if error.status() == Some(404) => Ok(()),
            Err(EngineError::Refused { status: 409, message, .. }) if message.contains("in progress") => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Every container, in whatever state, with this label (and this value of it).
    pub(crate) async fn find_containers(
        &self,
        label: &str,
        value: Option<&str>,
    ) -> Result<Vec<FoundContainer>, EngineError> {
        let filter = value.map_or_else(|| label.to_owned(), |value| format!("{label}={value}"));
        let options = ListContainersOptions {
            all: true,
            filters: Some([("label".to_owned(), vec![filter])].into()),
            ..ListContainersOptions::default()
        };
        let listed = self.ask("list", "containers", self.docker.list_containers(Some(options))).await?;
        Ok(listed.into_iter().filter_map(found).collect())
    }
}

fn subject(id: &str) -> String {
    let short = id.get(..12).unwrap_or(id);
    format!("container {short}")
}

fn inspected(id: &str, response: ContainerInspectResponse) -> Result<InspectedContainer, EngineError> {
    let state = response.state.clone().unwrap_or_default();
    let cgroup_parent = response.host_config.as_ref().and_then(|host| host.cgroup_parent.clone());
    let mut document = serde_json::to_value(response).map_err(|error| EngineError::Broken {
        action: "describe",
        subject: subject(id),
        source: Box::new(error),
    })?;
    if let Some(config) = document.get_mut("Config").and_then(Value::as_object_mut) {
        config.remove("Env");
    }
    let never = "0001-01-01T00:00:00Z";
    Ok(InspectedContainer {
        state: ContainerState {
            running: state.running.unwrap_or_default(),
            started: state.started_at.is_some_and(|time| !time.is_empty() && time != never),
            exit_code: state.exit_code.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
            error: state.error.unwrap_or_default(),
        },
        cgroup_parent: cgroup_parent.filter(|parent| !parent.is_empty()),
        document,
    })
}

/// An entry without an id cannot be acted on; the engine never sends one.
fn found(summary: ContainerSummary) -> Option<FoundContainer> {
    let names = summary.names.unwrap_or_default();
    let mut labels: Vec<_> = summary.labels.unwrap_or_default().into_iter().collect();
    labels.sort();
    Some(FoundContainer {
        id: summary.id?,
        name: names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
        labels,
        created: Timestamp::from_second(summary.created.unwrap_or_default()).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
