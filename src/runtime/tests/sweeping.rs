//! Nothing stays behind, and what does is found.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::house::{House, LABEL};
use crate::engine::CgroupVersion;
use crate::runtime::cgroup::is_tree_ours;
use crate::runtime::{create, find_containers, remove_by_id, remove_spent_cgroups};

#[tokio::test]
async fn a_removed_container_leaves_neither_itself_nor_a_cgroup() {
    let Some(house) = House::open("a_removed_container_leaves_nothing").await else {
        return;
    };
    house.run(house.plan("true")).await;
    assert_eq!(find_containers(&house.engine, LABEL, Some(&house.name)).await.unwrap(), []);
    assert!(!has_cgroup(&house.name));
}

#[tokio::test]
async fn a_created_container_is_found_by_label_and_removed_twice() {
    let Some(house) = House::open("a_created_container_is_found").await else {
        return;
    };
    let container = create(&house.engine, house.plan("true")).await.unwrap();
    let found = find_containers(&house.engine, LABEL, Some(&house.name)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].id.as_str(), found[0].name.as_str()), (container.id(), house.name.as_str()));
    assert!(found[0].labels.contains(&(LABEL.to_owned(), house.name.clone())));
    remove_by_id(&house.engine, container.id()).await.unwrap();
    remove_by_id(&house.engine, container.id()).await.unwrap();
    assert_eq!(find_containers(&house.engine, LABEL, Some(&house.name)).await.unwrap(), []);
    // Our own removal comes too late, which is no error either.
    container.remove().await.unwrap();
}

#[tokio::test]
async fn a_running_container_can_be_swept_with_its_cgroup() {
    let Some(house) = House::open("a_running_container_can_be_swept").await else {
        return;
    };
    let container = create(&house.engine, house.plan("sleep 300")).await.unwrap();
    house.engine.start_container(container.id()).await.unwrap();
    remove_by_id(&house.engine, container.id()).await.unwrap();
    assert_eq!(find_containers(&house.engine, LABEL, Some(&house.name)).await.unwrap(), []);
    assert!(!has_cgroup(&house.name));
    container.remove().await.unwrap();
}

#[tokio::test]
async fn an_old_cgroup_without_a_container_is_swept_and_no_other() {
    let Some(house) = House::open("an_old_cgroup_without_a_container_is_swept").await else {
        return;
    };
    let facts = house.engine.facts().await.unwrap();
    if !is_tree_ours(facts) {
        assert_eq!(remove_spent_cgroups(&house.engine).await.unwrap(), 0);
        return;
    }
    let family = match facts.cgroup_version {
        Some(CgroupVersion::V1) | None => "/sys/fs/cgroup/memory/longshore",
        Some(CgroupVersion::V2) => "/sys/fs/cgroup/longshore",
    };
    let parent = |name: String, hours: u64| -> PathBuf {
        let folder = Path::new(family).join(name);
        fs::create_dir_all(&folder).unwrap();
        let made = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::open(&folder).unwrap().set_modified(made).unwrap();
        folder
    };
    let container = create(&house.engine, house.plan("true")).await.unwrap();
    let awaited = parent(house.name.clone(), 2);
    let fresh = parent(format!("{}-fresh", house.name), 0);
    let spent = parent(format!("{}-spent", house.name), 2);
    remove_spent_cgroups(&house.engine).await.unwrap();
    assert_eq!([&awaited, &fresh, &spent].map(|folder| folder.exists()), [true, true, false]);
    fs::remove_dir(fresh).unwrap();
    container.remove().await.unwrap();
    assert!(!awaited.exists());
}

fn has_cgroup(name: &str) -> bool {
    let below = |tree: &Path| tree.join("longshore").join(name).exists();
    let tree = Path::new("/sys/fs/cgroup");
    below(tree) || tree.read_dir().unwrap().any(|entry| below(&entry.unwrap().path()))
}
