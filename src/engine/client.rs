//! The connection to one engine, and what kind of engine it is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::models::{SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum};
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::OnceCell;

use super::{EngineError, storage};

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// How long an engine may take for a question that costs it nothing.
pub(super) const ASK_LIMIT: Duration = Duration::from_secs(60);
/// How long an engine may take for work: create, start, remove. Starts queue on a busy machine.
pub(super) const WORK_LIMIT: Duration = Duration::from_secs(180);
/// The client library's own limit, which covers the answer's headers only. Ours are all shorter.
const CLIENT_LIMIT_SECONDS: u64 = 900;

/// Where the engine listens: `unix://…`, `tcp://…`, or nothing for the usual socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EngineOptions {
    pub host: Option<String>,
}

/// A connected engine. Cheap to clone; calls may run side by side.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(super) docker: Docker,
    pub(super) address: Address,
    facts: Arc<OnceCell<EngineFacts>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("address", &self.address.to_string()).finish_non_exhaustive()
    }
}

/// An engine's address, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Address {
    fn parse(host: Option<&str>) -> Result<Self, EngineError> {
        let Some(host) = host else {
            return Ok(Self::Unix(PathBuf::from(DEFAULT_SOCKET)));
        };
        let bad = || EngineError::BadAddress { host: host.into() };
        if let Some(path) = host.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(PathBuf::from(path))) } else { Err(bad()) };
        }
        let authority = host.strip_prefix("tcp://").ok_or_else(bad)?.trim_end_matches('/');
        let (name, port) = authority.rsplit_once(':').ok_or_else(bad)?;
        if name.is_empty() || name.contains(['/', '@']) || port.parse::<u16>().is_err() {
            return Err(bad());
        }
        Ok(Self::Tcp(authority.into()))
    }

    /// Whether the engine runs on this machine, so that its files and cgroups may be ours to see.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// What the engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineFacts {
    pub version: String,
    /// The API version agreed on, such as `1.41`.
    pub api: String,
    pub cgroup_version: Option<CgroupVersion>,
    pub cgroup_driver: CgroupDriver,
    /// Who somebody inside a container is on the host.
    pub ids: IdMapping,
    /// Reached over a local socket.
    pub local: bool,
    /// Limits that it takes and does not enforce, in words: as a rootless engine does on cgroup v1.
    pub unenforced: Vec<&'static str>,
    pub root_quota: RootQuota,
    /// How many processors it has; `None`: it does not say.
    pub processors: Option<i64>,
}

/// Whether the engine can hold a size of what a container writes over its image's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RootQuota {
    Held,
    None,
}

/// How user and group ids inside containers relate to those of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdMapping {
    /// They are the same.
    Same,
    /// `userns-remap`: root inside is this uid and gid outside, and every other id is shifted by as much.
    Shifted { uid: u32, gid: u32 },
    /// The engine runs without root: root inside is the user that runs the engine, everybody else a subordinate id.
    Rootless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CgroupVersion {
    V1,
    V2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CgroupDriver {
    Cgroupfs,
    Systemd,
    None,
}

impl Engine {
    /// Finds the engine and agrees on an API version with it.
    pub(crate) async fn connect(options: EngineOptions) -> Result<Self, EngineError> {
        let address = Address::parse(options.host.as_deref())?;
        let shown = address.to_string();
        let connected = match &address {
            Address::Unix(path) => connect_unix(path),
            Address::Tcp(authority) => {
                Docker::connect_with_http(authority, CLIENT_LIMIT_SECONDS, API_DEFAULT_VERSION)
            }
        };
        let unreachable = |error| EngineError::from_client("agree on", "an API version", &shown, error);
        let docker = connected.map_err(unreachable)?;
        let agreed = tokio::time::timeout(ASK_LIMIT, docker.negotiate_version()).await;
        let docker = match agreed {
            Ok(answer) => answer.map_err(unreachable)?,
            Err(_elapsed) => {
                return Err(EngineError::Unreachable { address: shown, source: None });
            }
        };
        Ok(Self { docker, address, facts: Arc::default() })
    }

    /// Whether it answers.
    pub(crate) async fn ping(&self) -> Result<(), EngineError> {
        self.speak("answer", "a call".to_owned(), "GET", "/_ping").await.map(drop)
    }

    /// Asks the engine about itself, once: each container needs to know, and none of it changes while the engine
    /// runs.
    pub(crate) async fn facts(&self) -> Result<&EngineFacts, EngineError> {
        self.facts.get_or_try_init(|| self.ask_facts()).await
    }

    async fn ask_facts(&self) -> Result<EngineFacts, EngineError> {
        let info = self.ask("tell", "its configuration", self.docker.info()).await?;
        let is_held = self.address.is_local() && storage::has_root_quota(&info);
        let security = info.security_options.unwrap_or_default();
        let has = |name: &str| security.iter().any(|option| option.split(',').any(|part| part == name));
        Ok(EngineFacts {
            version: info.server_version.unwrap_or_default(),
            api: self.api_version(),
            cgroup_version: info.cgroup_version.and_then(cgroup_version),
            cgroup_driver: info.cgroup_driver.map_or(CgroupDriver::None, cgroup_driver),
            ids: if has("name=rootless") {
                IdMapping::Rootless
            } else if has("name=userns") {
                shifted(info.docker_root_dir.as_deref().unwrap_or_default())
            } else {
                IdMapping::Same
            },
            local: self.address.is_local(),
            root_quota: if is_held { RootQuota::Held } else { RootQuota::None },
            processors: info.ncpu.filter(|count| *count > 0),
            unenforced: unenforced(&[
                ("memory", info.memory_limit),
                ("swap", info.swap_limit),
                ("processors", info.cpu_cfs_quota),
                ("processes", info.pids_limit),
            ]),
        })
    }

    pub(super) fn api_version(&self) -> String {
        let version = self.docker.client_version();
        format!("{}.{}", version.major_version, version.minor_version)
    }

    /// One question under the deadline for questions.
    pub(super) async fn ask<T>(
        &self,
        action: &'static str,
        subject: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, EngineError> {
        self.within(ASK_LIMIT, action, subject, answer).await
    }

    /// One piece of work under the deadline for work.
    pub(super) async fn order<T>(
        &self,
        action: &'static str,
        subject: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, EngineError> {
        self.within(WORK_LIMIT, action, subject, answer).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        action: &'static str,
        subject: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(|error| self.sort(action, subject, error)),
            Err(_elapsed) => Err(EngineError::Silent { action, subject: subject.into(), after: limit }),
        }
    }

    pub(super) fn sort(&self, action: &'static str, subject: &str, error: ClientError) -> EngineError {
        EngineError::from_client(action, subject, &self.address.to_string(), error)
    }
}

fn connect_unix(path: &Path) -> Result<Docker, ClientError> {
    Docker::connect_with_unix(&path.to_string_lossy(), CLIENT_LIMIT_SECONDS, API_DEFAULT_VERSION)
}

/// What an engine denies. One that says nothing about a limit is believed to have it.
fn unenforced(answers: &[(&'static str, Option<bool>)]) -> Vec<&'static str> {
    answers.iter().filter(|(_limit, answer)| *answer == Some(false)).map(|(limit, _answer)| *limit).collect()
}

/// The engine tells its mapping only by where it keeps its files: in a folder `<uid>.<gid>` of its data root
/// (<https://docs.docker.com/engine/security/userns-remap/>).
fn shifted(data_root: &str) -> IdMapping {
    let ids = data_root.trim_end_matches('/').rsplit('/').next().and_then(|name| {
        let (uid, gid) = name.split_once('.')?;
        Some(IdMapping::Shifted { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    });
    ids.unwrap_or(IdMapping::Same)
}

fn cgroup_version(version: SystemInfoCgroupVersionEnum) -> Option<CgroupVersion> {
    match version {
        SystemInfoCgroupVersionEnum::_1 => Some(CgroupVersion::V1),
        SystemInfoCgroupVersionEnum::_2 => Some(CgroupVersion::V2),
        SystemInfoCgroupVersionEnum::EMPTY => None,
    }
}

fn cgroup_driver(driver: SystemInfoCgroupDriverEnum) -> CgroupDriver {
    match driver {
        SystemInfoCgroupDriverEnum::CGROUPFS => CgroupDriver::Cgroupfs,
        SystemInfoCgroupDriverEnum::SYSTEMD => CgroupDriver::Systemd,
        SystemInfoCgroupDriverEnum::NONE | SystemInfoCgroupDriverEnum::EMPTY => CgroupDriver::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_unix_path_or_a_tcp_authority() {
        assert_eq!(Address::parse(None).unwrap(), Address::Unix("/var/run/docker.sock".into()));
        assert_eq!(Address::parse(Some("unix:///run/x.sock")).unwrap(), Address::Unix("/run/x.sock".into()));
        assert_eq!(
            Address::parse(Some("tcp://10.0.0.1:2375")).unwrap(),
            Address::Tcp("10.0.0.1:2375".into())
        );
        for host in ["", "docker", "unix://x.sock", "tcp://host", "tcp://:1", "tcp://h:99999", "ssh://h:22"] {
            let error = Address::parse(Some(host)).unwrap_err();
            assert!(matches!(error, EngineError::BadAddress { .. }), "{host}: {error}");
        }
    }

    #[test]
    fn only_what_an_engine_denies_is_not_enforced() {
        assert_eq!(
            unenforced(&[("memory", Some(true)), ("swap", Some(false)), ("processes", None)]),
            ["swap"]
        );
    }

    #[test]
    fn the_mapping_of_ids_is_read_from_the_data_root() {
        let shifted_by = |uid, gid| IdMapping::Shifted { uid, gid };
        assert_eq!(shifted("/var/lib/docker/100000.100000"), shifted_by(100_000, 100_000));
        assert_eq!(shifted("/data/231072.165536/"), shifted_by(231_072, 165_536));
        assert_eq!(["", "/var/lib/docker", "/var/lib/docker/1.x"].map(shifted), [IdMapping::Same; 3]);
    }

    #[tokio::test]
    async fn a_missing_engine_is_named_with_a_remedy() {
        let host = Some("unix:///nowhere/docker.sock".to_owned());
        let error = Engine::connect(EngineOptions { host }).await.unwrap_err();
        assert!(error.is_unreachable());
        assert_eq!(
            error.to_string(),
            "no container engine answers at unix:///nowhere/docker.sock; \
             start the Docker engine, or set DOCKER_HOST to where it listens"
        );
    }

    #[tokio::test]
    async fn a_refused_port_is_an_unreachable_engine() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Some(format!("tcp://{}", listener.local_addr().unwrap()));
        drop(listener);
        let error = Engine::connect(EngineOptions { host }).await.unwrap_err();
        assert!(error.is_unreachable(), "{error:?}");
    }
}
