//! How the engine stores what containers write, as far as that decides about limits.

use std::path::Path;

use bollard::models::SystemInfo;

const MOUNTS: &str = "/proc/self/mountinfo";

/// Whether `StorageOpt.size` works: the overlay2 driver takes it only over xfs that is mounted with project quotas
/// (<https://docs.docker.com/reference/cli/dockerd/#overlay2size>), and refuses to make a container elsewhere.
pub(super) fn has_root_quota(info: &SystemInfo) -> bool {
    let Some(root) = info.docker_root_dir.as_deref().filter(|_| info.driver.as_deref() == Some("overlay2"))
    else {
        return false;
    };
    // Without the table of mounts nothing is known, and the watch over the files has to do.
    std::fs::read_to_string(MOUNTS).is_ok_and(|mounts| is_xfs_with_quota(&mounts, Path::new(root)))
}

/// `36 35 98:0 /root /mount/point rw,noatime shared:1 - xfs /dev/x rw,prjquota`, as proc(5) has it.
fn is_xfs_with_quota(mounts: &str, folder: &Path) -> bool {
    let mount = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?;
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let has_quota = options.split(',').any(|option| matches!(option, "prjquota" | "pquota"));
        folder.starts_with(point).then_some((point.len(), name == "xfs" && has_quota))
    };
    // The innermost mount, and of several on one point the last.
    let innermost = mounts.lines().filter_map(mount).max_by_key(|(length, _has_quota)| *length);
    innermost.is_some_and(|(_length, has_quota)| has_quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,prjquota
30 22 254:16 / /var/lib rw,relatime - xfs /dev/vdb rw,attr2,prjquota
31 30 254:32 / /var/lib/plain rw,relatime - xfs /dev/vdc rw,noquota
";

    #[test]
    fn a_quota_needs_xfs_mounted_for_it_under_the_engines_own_folder() {
        let has = |folder: &str| is_xfs_with_quota(MOUNTS, Path::new(folder));
        assert!(has("/var/lib/docker"));
        assert!(!has("/var/lib/plain/docker") && !has("/srv/docker") && !has("/var/library"));
        assert!(!is_xfs_with_quota("", Path::new("/var/lib/docker")));
        assert!(!is_xfs_with_quota("nonsense - xfs\n", Path::new("/var/lib/docker")));
    }
}
