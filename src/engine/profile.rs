//! What a container is made of: the parts that vary, and the hardening that does not.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

/// Open files a process may have: enough for any sane component, and below what an engine has itself, since an engine
/// without `CAP_SYS_RESOURCE` cannot give more than that.
const OPEN_FILES: i64 = 16_384;
/// `/dev/shm`, counted against the memory limit like everything else in memory.
const SHARED_MEMORY_BYTES: i64 = 64 << 20;
/// The kernel should pick a component before it picks the worker or the engine.
const OOM_SCORE: i64 = 500;

/// A container to be made. Whatever is not said here is fixed for all of them. Not to be printed: values of
/// environment variables may be secrets.
pub(crate) struct NewContainer<'a> {
    pub name: &'a str,
    /// An image id, never a tag.
    pub image: &'a str,
    pub labels: &'a [(String, String)],
    pub environment: &'a [(String, String)],
    pub mounts: Vec<BindMount>,
    pub memory_bytes: u64,
    pub nano_cpus: i64,
    pub pids: i64,
    pub tmp_bytes: u64,
    /// Files and folders in `/tmp`.
    pub tmp_files: u64,
    /// Of each single file, wherever it is.
    pub file_bytes: u64,
    /// Of what is written over the image's files, where the engine can hold that.
    pub root_bytes: Option<u64>,
    pub network: ContainerNetwork,
    /// `uid:gid`; nothing for the image's own user.
    pub user: Option<&'a str>,
    pub read_only_root: bool,
    /// Added back after all were dropped.
    pub capabilities: &'a [String],
    pub cgroup_parent: Option<&'a str>,
}

/// A folder of the host, seen inside. The source must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindMount {
    pub source: PathBuf,
    pub target: String,
    pub read_only: bool,
}

/// What a container may talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContainerNetwork {
    /// No network at all, not even a namespace to set up: twice as fast to start as `none`.
    Disabled,
    /// The network of this id.
    Id(String),
    /// The same, with the one resolver that names are asked of; no other domain is searched for them.
    Resolving { id: String, resolver: Ipv4Addr },
}

/// The request body. Pure, so that the hardening can be read and tested as one value.
pub(super) fn create_body(new: NewContainer<'_>) -> ContainerCreateBody {
    let network = match &new.network {
        ContainerNetwork::Disabled => None,
        ContainerNetwork::Id(id) | ContainerNetwork::Resolving { id, .. } => Some(id.clone()),
    };
    ContainerCreateBody {
        image: Some(new.image.into()),
        user: new.user.map(Into::into),
        env: Some(new.environment.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        labels: Some(new.labels.iter().cloned().collect()),
        network_disabled: Some(network.is_none()),
        tty: Some(false),
        open_stdin: Some(false),
        // An image's health check would run processes that nobody asked for.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        host_config: Some(host_config(new, network)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(new: NewContainer<'_>, network: Option<String>) -> HostConfig {
    let memory = i64::try_from(new.memory_bytes).unwrap_or(i64::MAX);
    let resolver = match &new.network {
        ContainerNetwork::Disabled | ContainerNetwork::Id(_) => None,
        ContainerNetwork::Resolving { resolver, .. } => Some(vec![resolver.to_string()]),
    };
    HostConfig {
        memory: Some(memory),
        // Equal to the memory limit means no swap, which would hide that limit.
        memory_swap: Some(memory),
        nano_cpus: Some(new.nano_cpus),
        pids_limit: Some(new.pids),
        shm_size: Some(SHARED_MEMORY_BYTES),
        oom_score_adj: Some(OOM_SCORE),
        ulimits: Some(vec![
            ulimit("nofile", OPEN_FILES),
            ulimit("core", 0),
            ulimit("fsize", i64::try_from(new.file_bytes).unwrap_or(i64::MAX)),
        ]),
        storage_opt: new.root_bytes.map(|bytes| HashMap::from([("size".to_owned(), bytes.to_string())])),
        init: Some(true),
        auto_remove: Some(false),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            ..RestartPolicy::default()
        }),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: (!new.capabilities.is_empty()).then(|| new.capabilities.to_vec()),
        security_opt: Some(vec!["no-new-privileges".into()]),
        ipc_mode: Some("private".into()),
        readonly_rootfs: Some(new.read_only_root),
        network_mode: network,
        // A dot means that the host's own domains are not searched.
        dns_search: resolver.is_some().then(|| vec![".".into()]),
        dns: resolver,
        cgroup_parent: new.cgroup_parent.map(Into::into),
        mounts: Some(new.mounts.into_iter().map(bind).collect()),
        // Components unpack and run programs in /tmp, so it is not `noexec`.
        tmpfs: Some(HashMap::from([(
            "/tmp".into(),
            format!("rw,exec,nosuid,nodev,mode=1777,size={},nr_inodes={}", new.tmp_bytes, new.tmp_files),
        )])),
        log_config: Some(log_config()),
        ..HostConfig::default()
    }
}

/// The `json-file` driver, told every option that a daemon's defaults could turn against us: rotation loses
/// lines and a non-blocking mode drops them.
fn log_config() -> HostConfigLogConfig {
    let options = [("max-size", "1000t"), ("max-file", "1"), ("compress", "false"), ("mode", "blocking")];
    HostConfigLogConfig {
        typ: Some("json-file".into()),
        config: Some(options.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
    }
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.into()), soft: Some(value), hard: Some(value) }
}

fn bind(mount: BindMount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(path_text(&mount.source)),
        target: Some(mount.target),
        read_only: Some(mount.read_only),
        // What the container mounts stays in the container, and the host's later mounts stay outside.
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fixed_part_of_every_container_is_hardened() {
        let body = create_body(NewContainer {
            name: "x",
            image: "sha256:1",
            labels: &[],
            environment: &[("A".into(), "b=c".into())],
            mounts: Vec::new(),
            memory_bytes: 1000,
            nano_cpus: 5,
            pids: 7,
            tmp_bytes: 9,
            tmp_files: 11,
            file_bytes: 12,
            root_bytes: None,
            network: ContainerNetwork::Disabled,
            user: None,
            read_only_root: false,
            capabilities: &[],
            cgroup_parent: None,
        });
        let expected = json!({
            "Image": "sha256:1",
            "Env": ["A=b=c"],
            "Labels": {},
            "NetworkDisabled": true,
            "Tty": false,
            "OpenStdin": false,
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": {
                "Memory": 1000,
                "MemorySwap": 1000,
                "NanoCpus": 5,
                "PidsLimit": 7,
                "ShmSize": 67_108_864,
                "OomScoreAdj": 500,
                "Ulimits": [
                    {"Name": "nofile", "Soft": 16384, "Hard": 16384},
                    {"Name": "core", "Soft": 0, "Hard": 0},
                    {"Name": "fsize", "Soft": 12, "Hard": 12},
                ],
                "Init": true,
                "AutoRemove": false,
                "RestartPolicy": {"Name": "no"},
                "Privileged": false,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "IpcMode": "private",
                "ReadonlyRootfs": false,
                "Mounts": [],
                "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=9,nr_inodes=11"},
                "LogConfig": {
                    "Type": "json-file",
                    "Config": {"max-size": "1000t", "max-file": "1", "compress": "false", "mode": "blocking"},
                },
            },
        });
        assert_eq!(serde_json::to_value(body).unwrap(), expected);
    }

    #[test]
    fn what_varies_is_told_to_the_engine_as_it_is_asked_for() {
        let mount =
            |target: &str, read_only| BindMount { source: "/host".into(), target: target.into(), read_only };
        let body = create_body(NewContainer {
            name: "x",
            image: "sha256:1",
            labels: &[("longshore.job".into(), "1".into())],
            environment: &[],
            mounts: vec![mount("/data", false), mount("/data/in/files", true)],
            memory_bytes: 1000,
            nano_cpus: 5,
            pids: 7,
            tmp_bytes: 9,
            tmp_files: 11,
            file_bytes: 12,
            root_bytes: Some(13),
            network: ContainerNetwork::Resolving { id: "n1".into(), resolver: Ipv4Addr::new(198, 18, 0, 1) },
            user: Some("1000:1000"),
            read_only_root: true,
            capabilities: &["CHOWN".into()],
            cgroup_parent: Some("/longshore/x"),
        });
        let body = serde_json::to_value(body).unwrap();
        assert_eq!((&body["User"], &body["NetworkDisabled"]), (&json!("1000:1000"), &json!(false)));
        let host = &body["HostConfig"];
        let said = [
            "CapAdd",
            "CapDrop",
            "CgroupParent",
            "Dns",
            "DnsSearch",
            "NetworkMode",
            "ReadonlyRootfs",
            "StorageOpt",
        ]
        .map(|key| host[key].clone());
        let expected = json!([
            ["CHOWN"], ["ALL"], "/longshore/x", ["198.18.0.1"], ["."], "n1", true, { "size": "13" }
        ]);
        assert_eq!(json!(said), expected);
        let bound = |target: &str, read_only: bool| {
            let options = json!({ "Propagation": "rprivate" });
            json!({ "Type": "bind", "Source": "/host", "Target": target, "ReadOnly": read_only, "BindOptions": options })
        };
        assert_eq!(host["Mounts"], json!([bound("/data", false), bound("/data/in/files", true)]));
    }
}
