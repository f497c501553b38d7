use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::world::{World, at, write};
use crate::component::DocumentFormat;
use crate::job::{AttemptNumber, JobId};
use crate::mapping::{DataFolder, Owner};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_data_folder_has_what_components_expect_and_is_open_only_to_the_container() {
    let world = World::new().await;
    let folder = world.folder().await;
    for inner in ["in/tables", "in/files", "in/user", "out/tables", "out/files"] {
        assert_eq!(mode(&at(&folder, inner)), 0o777, "{inner}");
    }
    assert_eq!(mode(folder.root()), 0o700);
    folder.write_config(&json!({"parameters": {}, "action": "run"})).await.unwrap();
    folder.write_state(&json!({})).await.unwrap();
    assert_eq!(
        fs::read_to_string(at(&folder, "config.json")).unwrap(),
        "{\n  \"parameters\": {},\n  \"action\": \"run\"\n}\n"
    );
    assert_eq!(fs::read_to_string(at(&folder, "in/state.json")).unwrap(), "{}\n");
}

#[tokio::test]
async fn a_yaml_component_finds_its_documents_under_yml() {
    let world = World::new().await;
    let (job, work) = (JobId::fresh(), world.home.path().join("work"));
    let owner =
        Owner::Of { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let folder = DataFolder::create(&work, job, AttemptNumber(2), owner, DocumentFormat::Yaml).await.unwrap();
    assert!(folder.root().ends_with(format!("{job}-2")));
    folder.write_config(&json!({"a": "b"})).await.unwrap();
    assert!(at(&folder, "config.yml").exists());
    assert_eq!(mode(&at(&folder, "out")), 0o755);
    let again = DataFolder::create(&work, job, AttemptNumber(2), owner, DocumentFormat::Yaml).await;
    assert!(again.is_err(), "a folder that is in use was given out again");
}

#[tokio::test]
async fn a_folder_is_removed_whatever_a_component_made_of_it() {
    let world = World::new().await;
    let folder = world.folder().await;
    let precious = world.home.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("kept"), "kept").unwrap();
    symlink(&precious, at(&folder, "out/tables/link")).unwrap();
    write(&folder, "out/tables/plain", "x");
    fs::create_dir(at(&folder, "out/files/locked")).unwrap();
    write(&folder, "out/files/locked/inner", "x");
    fs::set_permissions(at(&folder, "out/files/locked"), fs::Permissions::from_mode(0o000)).unwrap();
    // Deeper than any path may be long.
    let mut deep =
        rustix::fs::open(at(&folder, "out"), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    for _level in 0..1_000 {
        rustix::fs::mkdirat(&deep, "deep", rustix::fs::Mode::RWXU).unwrap();
        deep =
            rustix::fs::openat(&deep, "deep", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    }
    folder.remove().await.unwrap();
    assert!(!folder.root().exists());
    assert_eq!(fs::read_to_string(precious.join("kept")).unwrap(), "kept");
    folder.remove().await.unwrap();
}

#[tokio::test]
async fn a_removal_that_was_cut_off_is_taken_up_again() {
    let world = World::new().await;
    let folder = world.folder().await;
    for left in [".removed-1/inner/more", ".removed-2/inner/more", "data/out/tables/.removed-1/inner"] {
        fs::create_dir_all(folder.root().join(left)).unwrap();
    }
    fs::write(folder.root().join(".removed-3"), "").unwrap();
    folder.remove().await.unwrap();
    assert!(!folder.root().exists());
}
