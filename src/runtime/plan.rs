//! Everything a container is started with, decided before.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk_guard::DiskGuard;
use crate::engine::{BindMount, ContainerNetwork, EngineFacts, NewContainer, RootQuota};
use crate::job::ImageId;

/// Where the data folder lies inside.
const DATA_TARGET: &str = "/data";

/// One container to be run once. Byte counts are limits; each is enforced.
#[derive(Clone)]
pub(crate) struct ContainerPlan {
    pub name: String,
    pub image: ImageId,
    /// The image's entrypoint, for messages.
    pub entrypoint: String,
    pub labels: Vec<(String, String)>,
    pub environment: Vec<(String, String)>,
    /// The only folder of the host that is mounted. The user must be able to write to it.
    pub data_folder: PathBuf,
    /// Mounts `in/tables` and `in/files` read-only, so that inputs may be links to what others read too.
    pub read_only_inputs: bool,
    pub memory_bytes: u64,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    pub pids: i64,
    pub tmp_bytes: u64,
    /// From the start of the container. Nothing means no limit.
    pub timeout: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// How long a restarting engine may be away while the container runs.
    pub engine_patience: Duration,
    pub network: ContainerNetwork,
    /// `uid:gid`; nothing for the image's own user.
    pub user: Option<String>,
    pub read_only_root: bool,
    /// Capabilities added back after all were dropped.
    pub capabilities: Vec<String>,
    /// Of everything that is added to the data folder, by the larger of apparent size and blocks; and, by itself, of what
    /// is written over the image's files.
    pub output_bytes_max: u64,
    /// Of entries that are added to either, folders included.
    pub output_files_max: u64,
    /// Of each single file, held by the kernel. At least as much as the largest input, which a component may change.
    pub file_bytes_max: u64,
    /// Levels of folders in the data folder.
    pub folder_depth_max: usize,
    /// Keeps room on the disks, together with the other containers of this process.
    pub disk_guard: DiskGuard,
    pub log_bytes_max: u64,
}

/// Values of environment variables may be secrets, so only their names are printed.
impl fmt::Debug for ContainerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let environment: Vec<_> = self.environment.iter().map(|(name, _value)| name).collect();
        f.debug_struct("ContainerPlan")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("environment", &environment)
            .field("data_folder", &self.data_folder)
            .field("memory_bytes", &self.memory_bytes)
            .field("timeout", &self.timeout)
            .field("network", &self.network)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl ContainerPlan {
    /// The engine's view of the plan.
    pub(super) fn new_container<'a>(
        &'a self,
        cgroup_parent: Option<&'a str>,
        facts: &EngineFacts,
        volumes: &[String],
    ) -> NewContainer<'a> {
        NewContainer {
            name: &self.name,
            image: self.image.as_str(),
            labels: &self.labels,
            environment: &self.environment,
            mounts: self.mounts(volumes),
            memory_bytes: self.memory_bytes,
            // More than there are is no limit, and the engine refuses it.
            nano_cpus: facts
                .processors
                .map_or(self.nano_cpus, |count| self.nano_cpus.min(count.saturating_mul(1_000_000_000))),
            pids: self.pids,
            tmp_bytes: self.tmp_bytes,
            tmp_files: self.output_files_max,
            file_bytes: self.file_bytes_max,
            root_bytes: (facts.root_quota == RootQuota::Held && !self.read_only_root)
                .then_some(self.output_bytes_max),
            network: self.network.clone(),
            user: self.user.as_deref(),
            read_only_root: self.read_only_root,
            capabilities: &self.capabilities,
            cgroup_parent,
        }
    }

    /// An image's volume within the data folder would hide what is there, and take what is written there away with the
    /// container: the folder itself is mounted in its place.
    fn mounts(&self, volumes: &[String]) -> Vec<BindMount> {
        let data =
            BindMount { source: self.data_folder.clone(), target: DATA_TARGET.into(), read_only: false };
        let inputs = ["in/tables", "in/files"].map(|folder| BindMount {
            source: self.data_folder.join(folder),
            target: format!("{DATA_TARGET}/{folder}"),
            read_only: true,
        });
        let inputs = inputs.into_iter().filter(|_| self.read_only_inputs);
        let mut mounts: Vec<BindMount> = std::iter::once(data).chain(inputs).collect();
        for volume in volumes {
            let target = volume.trim_end_matches('/');
            let inside = Path::new(target).strip_prefix(DATA_TARGET).ok();
            let source = inside.map(|inside| self.data_folder.join(inside)).filter(|source| source.is_dir());
            if let Some(source) = source.filter(|_| mounts.iter().all(|mount| mount.target != target)) {
                let is_within = |mount: &BindMount| Path::new(target).starts_with(&mount.target);
                let read_only = mounts.iter().any(|mount| mount.read_only && is_within(mount));
                mounts.push(BindMount { source, target: target.to_owned(), read_only });
            }
        }
        mounts
    }
}
