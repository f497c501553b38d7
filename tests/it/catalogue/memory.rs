//! Memory: bombs in parent and child, memory that looks like files, and figures that are right.

use std::fs;

use super::{Scene, Trick};

const MEBIBYTE: u64 = 1 << 20;

fn peak(document: &serde_json::Value) -> u64 {
    document["usage"]["memory_peak_bytes"].as_u64().unwrap()
}

/// Without a cgroup of the job's own the figures are samples of the engine, which tell less.
fn has_exact_figures() -> bool {
    let v1 = fs::metadata("/sys/fs/cgroup/memory/memory.usage_in_bytes").is_ok();
    v1 || fs::metadata("/sys/fs/cgroup/cgroup.controllers").is_ok()
}

#[test]
fn a_bomb_in_parent_or_child_dies_alone_and_is_told_with_the_limits_origin() {
    let Some(scene) = Scene::open(&[]) else { return };
    let told = [
        "out of memory: the component may use 64 MiB",
        "memory limit 64 MiB, from `resources.memory` of the spec (trick.json:1)",
    ];
    scene.play(&Trick::new("/hostile/allocate 4000")).fails("out_of_memory", &told);
    scene.play(&Trick::new("/hostile/allocate 4000 child; exit 0")).fails("out_of_memory", &told);
    scene.close();
}

#[test]
fn memory_in_the_shape_of_files_counts_as_memory_and_is_bounded() {
    let Some(scene) = Scene::open(&[]) else { return };
    let bomb = |place: &str| format!("head -c 200m /dev/zero >{place}/x; exit 0");
    scene.play(&Trick::new(&bomb("/dev/shm")).limit("memory", "32m")).fails("out_of_memory", &["32 MiB"]);
    scene.play(&Trick::new(&bomb("/tmp")).limit("tmp", "1g").limit("disk", "1g")).fails("out_of_memory", &[]);
    let full = "head -c 200m /dev/zero >/tmp/x || exit 1";
    scene
        .play(&Trick::new(full).limit("tmp", "8m").limit("disk", "1g"))
        .fails("component_user_error", &["head: standard output: I/O error"]);
    let full = "head -c 200m /dev/zero >/dev/shm/x || exit 1";
    scene
        .play(&Trick::new(full).limit("memory", "256m").limit("disk", "1g"))
        .fails("component_user_error", &["head: standard output: I/O error"]);
    let inodes = "seq 1 3000 | xargs -n 500 sh -c 'for i; do : >/tmp/$i || exit 1; done' sh || exit 1";
    let few = Scene::open(&[("LONGSHORE_OUTPUT_FILES_MAX", "1000")]).unwrap();
    few.play(&Trick::new(inodes)).fails("component_user_error", &["No space left"]);
    few.close();
    scene.close();
}

#[test]
fn the_peak_is_the_memory_that_was_taken() {
    let Some(scene) = Scene::open(&[]) else { return };
    if !has_exact_figures() {
        eprintln!("SKIP (no cgroups to be seen): {:?}", std::thread::current().name());
        return scene.close();
    }
    for script in ["/hostile/allocate 200", "/hostile/allocate 200 child"] {
        let trick = Trick::new(script).limit("memory", "512m");
        let played = scene.play(&trick).succeeds().says(&["took 200 MiB"]);
        let found = peak(&played.document());
        let (least, most) = (190 * MEBIBYTE, 210 * MEBIBYTE);
        assert!((least..=most).contains(&found), "{script}: {found} is not 200 MiB within 5 %");
    }
    scene.close();
}

#[test]
fn who_reads_and_writes_large_files_is_not_said_to_need_that_memory() {
    let Some(scene) = Scene::open(&[]) else { return };
    if !has_exact_figures() {
        eprintln!("SKIP (no cgroups to be seen): {:?}", std::thread::current().name());
        return scene.close();
    }
    let script = "head -c 150m /dev/zero >out/files/x; cat out/files/x >/dev/null; sleep 0.5; rm out/files/x";
    let played = scene.play(&Trick::new(script).limit("memory", "100m").limit("disk", "200m")).succeeds();
    let document = played.document();
    let needed = document["usage"]["memory_needed_bytes"].as_u64().unwrap();
    assert!(needed < 16 * MEBIBYTE, "{needed}: {document}");
    assert!(peak(&document) > needed, "{document}");
    scene.close();
}
