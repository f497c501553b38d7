//! A container's own parent cgroup: its counters outlive the container, so peak memory, processor time and
//! out-of-memory kills are exact without polling.
//!
//! Used where the engine's cgroup tree is ours to see; elsewhere the engine's samples have to do.

mod parse;
mod sample;
mod spent;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::warn;

pub(super) use sample::CgroupSample;
pub(super) use spent::spent_parents;

use crate::engine::{CgroupDriver, CgroupVersion, EngineFacts, IdMapping};

const TREE: &str = "/sys/fs/cgroup";
/// All our parents lie in one folder, so that a sweep may remove what bears this name and nothing else.
const FAMILY: &str = "/longshore/";

/// What the kernel counted for everything that ever ran below one parent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CgroupUsage {
    pub(super) memory_peak_bytes: Option<u64>,
    /// Kills by the out-of-memory killer. Cgroup v1 does not add up a child's kills, so there it proves only the
    /// positive.
    pub(super) oom_kills: Option<u64>,
    pub(super) cpu: Option<Duration>,
}

/// The parent cgroup of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CgroupParent {
    /// As the engine is told: `/longshore/<container name>`.
    path: String,
    version: CgroupVersion,
}

impl CgroupParent {
    /// A parent for the container of this name, where the engine lets us have one.
    pub(super) fn choose(facts: &EngineFacts, container_name: &str) -> Option<Self> {
        let version = facts.cgroup_version.filter(|_| is_tree_ours(facts))?;
        let probe = match version {
            CgroupVersion::V1 => "memory/memory.usage_in_bytes",
            CgroupVersion::V2 => "cgroup.controllers",
        };
        let visible = Path::new(TREE).join(probe).exists();
        visible.then(|| Self { path: path_of(container_name), version })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Reads the counters; `None` where the folder is not to be seen, as from inside a container.
    pub(super) async fn usage(&self) -> Option<CgroupUsage> {
        let parent = self.clone();
        let read = tokio::task::spawn_blocking(move || read_usage(Path::new(TREE), &parent)).await;
        read.unwrap_or_default()
    }
}

/// Whether parents can be had from this engine, and be seen and removed by us.
pub(super) fn is_tree_ours(facts: &EngineFacts) -> bool {
    facts.local
        && facts.cgroup_driver == CgroupDriver::Cgroupfs
        && facts.ids != IdMapping::Rootless
        && rustix::process::geteuid().is_root()
}

pub(super) fn path_of(container_name: &str) -> String {
    format!("{FAMILY}{container_name}")
}

fn read_usage(tree: &Path, parent: &CgroupParent) -> Option<CgroupUsage> {
    let file = |controller: &str, name: &str| -> Option<String> {
        let folder = match parent.version {
            CgroupVersion::V1 => tree.join(controller),
            CgroupVersion::V2 => tree.to_owned(),
        };
        // A missing counter is a kernel that does not have it; the others still count.
        std::fs::read_to_string(folder.join(relative(&parent.path)?).join(name)).ok()
    };
    let usage = match parent.version {
        CgroupVersion::V1 => CgroupUsage {
            memory_peak_bytes: file("memory", "memory.max_usage_in_bytes")
                .and_then(|text| parse::number(&text)),
            oom_kills: file("memory", "memory.oom_control").and_then(|text| parse::keyed(&text, "oom_kill")),
            cpu: file("cpuacct", "cpuacct.usage")
                .and_then(|text| parse::number(&text))
                .map(Duration::from_nanos),
        },
        CgroupVersion::V2 => CgroupUsage {
            memory_peak_bytes: file("", "memory.peak").and_then(|text| parse::number(&text)),
            oom_kills: file("", "memory.events").and_then(|text| parse::keyed(&text, "oom_kill")),
            cpu: file("", "cpu.stat")
                .and_then(|text| parse::keyed(&text, "usage_usec"))
                .map(Duration::from_micros),
        },
    };
    (usage != CgroupUsage::default()).then_some(usage)
}

/// Removes a parent that a container was created with, in every hierarchy. Anything that is not ours is left.
pub(super) async fn remove_parent(path: &str) {
    let path = path.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_everywhere(Path::new(TREE), &path)).await;
    match removed {
        Ok(Ok(())) => {}
        // Empty folders cost a little kernel memory and nothing else, so this never fails a job.
        Ok(Err((path, error))) => warn!(path = %path.display(), %error, "a cgroup stays behind"),
        Err(error) => warn!(%error, "a cgroup may stay behind"),
    }
}

fn remove_everywhere(tree: &Path, parent: &str) -> Result<(), (PathBuf, io::Error)> {
    let Some(relative) = relative(parent) else {
        return Ok(());
    };
    let hierarchies = std::fs::read_dir(tree).map_err(|error| (tree.to_owned(), error))?;
    let folders = hierarchies.filter_map(|entry| Some(entry.ok()?.path().join(relative)));
    for folder in std::iter::once(tree.join(relative)).chain(folders) {
        match std::fs::remove_dir(&folder) {
            Ok(()) => {}
            // Several names of one hierarchy are links, and files of the root are no folders.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err((folder, error)),
        }
    }
    Ok(())
}

/// `longshore/<name>` where the path is one that we gave out.
fn relative(path: &str) -> Option<&str> {
    let name = path.strip_prefix(FAMILY)?;
    let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    path.strip_prefix('/').filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parent(version: CgroupVersion) -> CgroupParent {
        CgroupParent { path: "/longshore/x-1".into(), version }
    }

    #[test]
    fn version_one_is_read_from_its_hierarchies() {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("memory/longshore/x-1/memory.max_usage_in_bytes", "33554432\n"),
            ("memory/longshore/x-1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("cpuacct/longshore/x-1/cpuacct.usage", "1500000000\n"),
        ] {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let expected = CgroupUsage {
            memory_peak_bytes: Some(32 << 20),
            oom_kills: Some(2),
            cpu: Some(Duration::from_millis(1500)),
        };
        assert_eq!(read_usage(tree.path(), &parent(CgroupVersion::V1)), Some(expected));
    }

    #[test]
    fn version_two_is_read_from_the_unified_tree() {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join("longshore/x-1");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("memory.peak"), "1048576\n").unwrap();
        fs::write(
            folder.join("memory.events"),
            "low 0\nhigh 0\nmax 41\noom 1\noom_kill 1\noom_group_kill 0\n",
        )
        .unwrap();
        fs::write(folder.join("cpu.stat"), "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\n").unwrap();
        let expected = CgroupUsage {
            memory_peak_bytes: Some(1 << 20),
            oom_kills: Some(1),
            cpu: Some(Duration::from_micros(2500)),
        };
        assert_eq!(read_usage(tree.path(), &parent(CgroupVersion::V2)), Some(expected));
    }

    #[test]
    fn an_invisible_tree_gives_nothing() {
        let tree = tempfile::tempdir().unwrap();
        assert_eq!(read_usage(tree.path(), &parent(CgroupVersion::V2)), None);
    }

    #[test]
    fn removal_touches_only_our_own_parents() {
        let tree = tempfile::tempdir().unwrap();
        for folder in
            ["memory/longshore/x-1", "pids/longshore/x-1", "memory/docker/x-1", "memory/longshore/x-2"]
        {
            fs::create_dir_all(tree.path().join(folder)).unwrap();
        }
        for path in
            ["/longshore/x-1", "/docker/x-1", "/longshore/../docker/x-1", "/longshore/", "/longshore/.."]
        {
            remove_everywhere(tree.path(), path).unwrap();
        }
        let left = |path: &str| tree.path().join(path).exists();
        assert!(!left("memory/longshore/x-1") && !left("pids/longshore/x-1"));
        assert!(left("memory/docker/x-1") && left("memory/longshore/x-2"));
    }
}
