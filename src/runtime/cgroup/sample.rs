//! What has to be looked at while a container lives: memory without page cache, and counters of its own cgroup, which
//! is gone as soon as it has ended.
//!
//! The names are of the kernel's Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CgroupParent, TREE, parse, relative};
use crate::engine::CgroupVersion;

/// One look, or the highest of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::runtime) struct CgroupSample {
    /// Anonymous and shared memory: what the kernel cannot take back. `tmpfs` is in it.
    pub(in crate::runtime) needed_bytes: Option<u64>,
    /// Kills by the out-of-memory killer in the container's own cgroup.
    pub(in crate::runtime) oom_kills: u64,
    /// Processes that were refused at the limit of their number.
    pub(in crate::runtime) fork_refusals: u64,
}

impl CgroupSample {
    pub(in crate::runtime) fn highest(self, other: Self) -> Self {
        Self {
            needed_bytes: self.needed_bytes.max(other.needed_bytes),
            oom_kills: self.oom_kills.max(other.oom_kills),
            fork_refusals: self.fork_refusals.max(other.fork_refusals),
        }
    }
}

impl CgroupParent {
    /// Looks at the container of this id below the parent. Blocks.
    pub(in crate::runtime) fn sample(&self, container_id: &str) -> CgroupSample {
        sample(Path::new(TREE), self, container_id)
    }

    /// The processes of the container of this id; none where it has ended. Blocks.
    pub(in crate::runtime) fn processes(&self, container_id: &str) -> Vec<u32> {
        let own = folder(Path::new(TREE), self, "memory", Some(container_id));
        let listed =
            own.and_then(|own| fs::read_to_string(own.join("cgroup.procs")).ok()).unwrap_or_default();
        listed.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Has the kernel kill the whole container when it kills one of its processes for memory, so that no parent hangs
    /// for a child that is gone. Only cgroup v2 can. Blocks.
    pub(in crate::runtime) fn kill_as_one(&self, container_id: &str) -> std::io::Result<()> {
        kill_as_one(Path::new(TREE), self, container_id)
    }
}

fn kill_as_one(tree: &Path, parent: &CgroupParent, container_id: &str) -> std::io::Result<()> {
    match (parent.version, folder(tree, parent, "", Some(container_id))) {
        (CgroupVersion::V2, Some(own)) => fs::write(own.join("memory.oom.group"), "1"),
        (CgroupVersion::V1 | CgroupVersion::V2, _) => Ok(()),
    }
}

/// The folder of the parent, or of a container below it.
fn folder(tree: &Path, parent: &CgroupParent, controller: &str, id: Option<&str>) -> Option<PathBuf> {
    let base = match parent.version {
        CgroupVersion::V1 => tree.join(controller),
        CgroupVersion::V2 => tree.to_owned(),
    };
    let parent = base.join(relative(&parent.path)?);
    Some(id.map_or_else(|| parent.clone(), |id| parent.join(id)))
}

fn sample(tree: &Path, parent: &CgroupParent, container_id: &str) -> CgroupSample {
    // A missing file is a container that has ended, or a kernel without that counter.
    let read = |controller: &str, id: Option<&str>, name: &str| {
        fs::read_to_string(folder(tree, parent, controller, id)?.join(name)).ok()
    };
    let keyed = |text: &Option<String>, key: &str| text.as_deref().and_then(|text| parse::keyed(text, key));
    let (own, memory, pids) = (Some(container_id), "memory", "pids");
    let stat = read(memory, None, "memory.stat");
    let (private, shared) = match parent.version {
        CgroupVersion::V1 => ("total_rss", "total_shmem"),
        CgroupVersion::V2 => ("anon", "shmem"),
    };
    let needed_bytes =
        keyed(&stat, private).map(|bytes| bytes.saturating_add(keyed(&stat, shared).unwrap_or(0)));
    let kills = match parent.version {
        CgroupVersion::V1 => read(memory, own, "memory.oom_control"),
        CgroupVersion::V2 => read(memory, own, "memory.events"),
    };
    let refusals = read(pids, own, "pids.events");
    CgroupSample {
        needed_bytes,
        oom_kills: keyed(&kills, "oom_kill").unwrap_or(0),
        fork_refusals: keyed(&refusals, "max").unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel 6.1 wrote it, shortened.
    const STAT_V1: &str = "cache 41943040\nrss 0\nshmem 0\ntotal_cache 41943040\ntotal_rss 10485760\n\
                           total_rss_huge 0\ntotal_shmem 1048576\ntotal_mapped_file 0\n";
    const STAT_V2: &str = "anon 10485760\nfile 41943040\nkernel 528384\nkernel_stack 16384\nshmem 1048576\n\
                           file_mapped 0\n";

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn parent(version: CgroupVersion) -> CgroupParent {
        CgroupParent { path: "/longshore/x-1".into(), version }
    }

    const EXPECTED: CgroupSample =
        CgroupSample { needed_bytes: Some(11 << 20), oom_kills: 2, fork_refusals: 7 };

    #[test]
    fn page_cache_is_not_needed_memory_in_version_one() {
        let tree = tree(&[
            ("memory/longshore/x-1/memory.stat", STAT_V1),
            ("memory/longshore/x-1/c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("pids/longshore/x-1/c/pids.events", "max 7\n"),
        ]);
        assert_eq!(sample(tree.path(), &parent(CgroupVersion::V1), "c"), EXPECTED);
        let gone = CgroupSample { oom_kills: 0, fork_refusals: 0, ..EXPECTED };
        assert_eq!(sample(tree.path(), &parent(CgroupVersion::V1), "d"), gone);
    }

    #[test]
    fn page_cache_is_not_needed_memory_in_version_two() {
        let tree = tree(&[
            ("longshore/x-1/memory.stat", STAT_V2),
            ("longshore/x-1/c/memory.events", "low 0\nhigh 0\nmax 41\noom 2\noom_kill 2\n"),
            ("longshore/x-1/c/pids.events", "max 7\n"),
        ]);
        assert_eq!(sample(tree.path(), &parent(CgroupVersion::V2), "c"), EXPECTED);
    }

    #[test]
    fn a_container_of_version_two_is_killed_as_one_and_nothing_is_written_elsewhere() {
        let tree = tree(&[("longshore/x-1/c/memory.oom.group", "0\n"), ("memory/longshore/x-1/c/x", "")]);
        kill_as_one(tree.path(), &parent(CgroupVersion::V2), "c").unwrap();
        assert_eq!(fs::read_to_string(tree.path().join("longshore/x-1/c/memory.oom.group")).unwrap(), "1");
        kill_as_one(tree.path(), &parent(CgroupVersion::V1), "c").unwrap();
        assert!(!tree.path().join("memory/longshore/x-1/c/memory.oom.group").exists());
        assert!(kill_as_one(tree.path(), &parent(CgroupVersion::V2), "gone").is_err());
    }
}
