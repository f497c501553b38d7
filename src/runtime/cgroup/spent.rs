//! Parents whose container is gone and whose runner is too: it died before it could remove them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{FAMILY, TREE};

/// Between a container's end and the reading of its counters a parent is empty too. Our own engine tells us that the container
/// is still there; of another one on this machine we know nothing, so its runner gets this time from the container's start.
const GRACE: Duration = Duration::from_secs(3600);

/// Names of the containers whose parents have been empty for long, as far as these folders show it.
pub(in crate::runtime) async fn spent_parents() -> Vec<String> {
    let before = SystemTime::now() - GRACE;
    let found = tokio::task::spawn_blocking(move || spent(Path::new(TREE), before)).await;
    // A sweep that was cut short finds them the next time.
    found.unwrap_or_default()
}

/// Those that are older than `before` and without a child in every hierarchy that has them.
fn spent(tree: &Path, before: SystemTime) -> Vec<String> {
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    for hierarchy in std::iter::once(tree.to_owned()).chain(folders(tree)) {
        for parent in folders(&hierarchy.join(FAMILY.trim_matches('/'))) {
            let Some(name) = parent.file_name().and_then(|name| name.to_str()) else { continue };
            let is_spent = is_older(&parent, before) && folders(&parent).is_empty();
            found.entry(name.to_owned()).and_modify(|known| *known &= is_spent).or_insert(is_spent);
        }
    }
    found.into_iter().filter_map(|(name, is_spent)| is_spent.then_some(name)).collect()
}

/// What cannot be read holds nothing of ours.
fn folders(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn is_older(folder: &Path, before: SystemTime) -> bool {
    fs::metadata(folder).and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_spent_when_it_is_old_and_empty_everywhere() {
        let tree = tempfile::tempdir().unwrap();
        for folder in [
            "memory/longshore/gone",
            "pids/longshore/gone",
            "memory/longshore/runs/0a1b",
            "pids/longshore/runs",
            "longshore/unified",
            "memory/docker/other",
        ] {
            fs::create_dir_all(tree.path().join(folder)).unwrap();
        }
        let made = SystemTime::now();
        fs::write(tree.path().join("memory/longshore/cgroup.procs"), "").unwrap();
        fs::write(tree.path().join("memory/longshore/gone/cgroup.procs"), "").unwrap();
        assert_eq!(spent(tree.path(), made + GRACE), ["gone", "unified"]);
        assert_eq!(spent(tree.path(), made - GRACE), [""; 0]);
    }
}
