//! What the component sees of its cage.

use std::fs;

use super::house::House;
use crate::engine::RootQuota;
use crate::job::Exit;
use crate::runtime::Stream;

#[tokio::test]
async fn a_component_has_no_capabilities_and_can_gain_none() {
    let Some(house) = House::open("a_component_has_no_capabilities").await else {
        return;
    };
    let mut plan = house.plan("cat /proc/self/status");
    plan.user = Some("4711:4712".into());
    let said = house.run(plan).await.said(Stream::Stdout);
    let field = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(field("Uid:"), ["4711"; 4]);
    assert_eq!(field("Gid:"), ["4712"; 4]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), ["0000000000000000"], "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    assert_eq!(field("Seccomp:"), ["2"]);
}

#[tokio::test]
async fn a_component_without_network_sees_no_device_and_not_the_hosts() {
    let Some(house) = House::open("a_component_without_network").await else {
        return;
    };
    let story = house.run(house.plan("ls /sys/class/net; readlink /proc/self/ns/net")).await;
    let said = story.said(Stream::Stdout);
    let mut lines: Vec<_> = said.lines().collect();
    let namespace = lines.pop().unwrap();
    assert_ne!(namespace, fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap());
    assert!(lines.iter().all(|device| *device == "lo"), "{lines:?}");
}

#[tokio::test]
async fn only_outputs_can_be_written_and_inputs_cannot() {
    let Some(house) = House::open("only_outputs_can_be_written").await else {
        return;
    };
    fs::write(house.data().join("in/tables/x.csv"), "a\n").unwrap();
    let mut plan = house.plan(
        "touch /data/in/tables/x.csv && echo tables; touch /data/in/files/x && echo files; touch /root-file && echo root; \
         touch /data/out/tables/y && touch /tmp/z && echo fine; grep ' /tmp ' /proc/mounts | cut -d ' ' -f 3,4",
    );
    plan.read_only_root = true;
    let story = house.run(plan).await;
    assert!(matches!(story.exit(), Exit::Clean(_)), "{story:?}");
    let said = story.said(Stream::Stdout);
    let (fine, mount) = said.split_once('\n').unwrap();
    assert_eq!(fine, "fine");
    for option in ["tmpfs ", "nosuid", "nodev", "size=1024k"] {
        assert!(mount.contains(option), "{mount}");
    }
    assert!(!mount.contains("noexec"), "{mount}");
    assert!(house.data().join("out/tables/y").exists());
}

#[tokio::test]
async fn processes_are_limited() {
    let Some(house) = House::open("processes_are_limited").await else {
        return;
    };
    let mut plan = house.plan("for i in $(seq 1 40); do sleep 300 & done; echo survived");
    plan.pids = 16;
    let story = house.run(plan).await;
    assert!(story.said(Stream::Stderr).contains("can't fork"), "{story:?}");
    assert!(matches!(story.exit(), Exit::Bad(_)));
}

#[tokio::test]
async fn volumes_of_the_image_below_the_data_folder_are_the_jobs_own_and_read_only_among_the_inputs() {
    let Some(house) = House::open("volumes_below_the_data_folder").await else {
        return;
    };
    let mut facts = house.engine.facts().await.unwrap().clone();
    (facts.root_quota, facts.processors) = (RootQuota::Held, Some(1));
    let mut plan = house.plan("true");
    plan.nano_cpus = 5_000_000_000;
    fs::create_dir(house.data().join("in/files/cache")).unwrap();
    let volumes = ["/data/in/files/cache", "/data/out/files/", "/data/nowhere", "/elsewhere", "/data"];
    let new = plan.new_container(None, &facts, &volumes.map(str::to_owned));
    let mounts: Vec<_> = new.mounts.iter().map(|mount| (mount.target.as_str(), mount.read_only)).collect();
    assert_eq!(
        mounts,
        [
            ("/data", false),
            ("/data/in/tables", true),
            ("/data/in/files", true),
            ("/data/in/files/cache", true),
            ("/data/out/files", false)
        ]
    );
    assert_eq!((new.root_bytes, new.nano_cpus), (Some(plan.output_bytes_max), 1_000_000_000));
    plan.read_only_root = true;
    assert_eq!(plan.new_container(None, &facts, &[]).root_bytes, None, "there is nothing to hold");
}
