//! Disks: filled from every place that can be written, by bytes and by files, with one file and with many.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Scene, Trick};
use crate::faults::SmallDisk;

const MEBIBYTE: u64 = 1 << 20;

/// Bytes and inodes that a disk has left.
fn room(disk: &Path) -> (u64, u64) {
    let disk = rustix::fs::statvfs(disk).unwrap();
    (disk.f_bavail * disk.f_frsize, disk.f_favail)
}

/// The least that a disk has left while `work` is done.
fn least_room<T>(disk: &Path, work: impl FnOnce() -> T) -> (T, (u64, u64)) {
    let is_done = Arc::new(AtomicBool::new(false));
    let (watched, until) = (disk.to_owned(), Arc::clone(&is_done));
    let watching = thread::spawn(move || {
        let mut least = room(&watched);
        while !until.load(Ordering::Relaxed) {
            let now = room(&watched);
            least = (least.0.min(now.0), least.1.min(now.1));
            thread::sleep(std::time::Duration::from_millis(2));
        }
        least
    });
    let done = work();
    is_done.store(true, Ordering::Relaxed);
    (done, watching.join().unwrap())
}

/// A scene on a disk of its own; the disk goes last.
fn on_disk(megabytes: u32, more: &str, environment: &[(&str, &str)]) -> Option<(Scene, SmallDisk)> {
    let mut disk = None;
    let scene = Scene::open_with(environment, |house| {
        let mounted = SmallDisk::with(house.path().join("disk"), megabytes, more)?;
        let path: PathBuf = mounted.0.clone();
        disk = Some(mounted);
        Some(path)
    })?;
    Some((scene, disk?))
}

#[test]
fn whoever_fills_the_disk_below_its_own_limit_is_stopped_while_there_is_room() {
    let environment = [("LONGSHORE_DISK_RESERVE", "128m")];
    let Some((scene, disk)) = on_disk(256, "", &environment) else { return };
    for kind in ["many", "one"] {
        let script = format!("sh /hostile/fill.sh /data/out/files {kind}");
        // The disk is memory, which counts as the writer's: slow enough, and allowed to have it all.
        let writer = Trick::new(&script).limit("disk", "5g").limit("cpus", 0.2).limit("memory", "1g");
        let (played, (bytes, _inodes)) = least_room(&disk.0, || scene.play(&writer));
        played.fails("disk_full", &["the disk is nearly full", "128 MiB are to stay free (`disk_reserve`"]);
        assert!(bytes > 8 * MEBIBYTE, "{kind}: only {bytes} were left");
    }
    scene.close();
}

#[test]
fn whoever_takes_all_inodes_is_stopped_while_there_are_some() {
    let Some((scene, disk)) = on_disk(256, ",nr_inodes=20000", &[]) else { return };
    let writer = Trick::new("sh /hostile/fill-inodes.sh").limit("memory", "1g");
    let (played, (_bytes, inodes)) = least_room(&disk.0, || scene.play(&writer));
    played.fails("disk_full", &["the disk is nearly full", "more files"]);
    assert!(inodes > 0);
    scene.close();
}

#[test]
fn a_single_file_is_stopped_by_the_kernel_at_the_limit() {
    let Some((scene, disk)) = on_disk(128, "", &[]) else { return };
    let told =
        ["a file in the data folder grew to its limit of 20 MiB", "disk limit 20 MiB, from `resources.disk`"];
    for script in [
        "head -c 100m /dev/zero >out/files/x",
        "head -c 100m /dev/zero >out/files/x; exit 0",
        "trap '' XFSZ; head -c 100m /dev/zero >in/user/x || exit 1",
    ] {
        let writer = Trick::new(script).limit("disk", "20m").limit("memory", "1g");
        let (played, (bytes, _inodes)) = least_room(&disk.0, || scene.play(&writer));
        played.fails("size_limit", &told);
        assert!(bytes > 80 * MEBIBYTE, "{script}: only {bytes} were left");
    }
    // Where no file is to be seen, the code is all that is known: it may be the component's own.
    let told = [
        "ended with exit code 153: unless that is a code of its own",
        "tried to make a file of more than 20 MiB and got SIGXFSZ",
        "disk limit 20 MiB",
    ];
    for script in ["dd if=/dev/zero of=out/files/x bs=1 count=0 seek=1073741824", "exit 153"] {
        scene.play(&Trick::new(script).limit("disk", "20m")).fails("size_limit", &told);
    }
    scene.close();
}

#[test]
fn files_that_were_removed_and_are_still_open_or_mapped_count() {
    let Some(scene) = Scene::open(&[]) else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIP (other processes are not ours to see): {:?}", std::thread::current().name());
        return scene.close();
    }
    let script = "cd out/files; exec 3>a 4>b 5>c; rm a b c; \
                  for i in 3 4 5; do head -c 15m /dev/zero >&$i; done; sleep 60";
    for script in [script, "/hostile/mapped out/files 3 15"] {
        scene
            .play(&Trick::new(script).limit("disk", "20m"))
            .fails("size_limit", &["the data folder grew over its limit", "disk limit 20 MiB"]);
    }
    scene.close();
}

#[test]
fn the_images_own_files_cannot_be_made_to_fill_the_disk() {
    let Some(scene) = Scene::open(&[("LONGSHORE_OUTPUT_FILES_MAX", "1000")]) else { return };
    let as_root = |script| Trick::new(script).spec("user", "image").limit("disk", "20m");
    scene
        .play(&as_root("for i in 1 2 3; do head -c 15m /dev/zero >/x$i; done; sleep 60"))
        .fails("size_limit", &["the component's own file system grew over its limit", "disk limit 20 MiB"]);
    scene
        .play(&as_root("mkdir /many; cd /many; seq 1 1500 | xargs touch; sleep 60"))
        .fails("size_limit", &["own file system got more than 1000 files", "`output_files_max`"]);
    scene
        .play(&as_root("head -c 100m /dev/zero >/x"))
        .fails("size_limit", &["tried to make a file of more than 20 MiB"]);
    let read_only = as_root("echo x >/x || exit 1").spec("read_only_root", true);
    scene.play(&read_only).fails("component_user_error", &["Read-only file system"]);
    scene.close();
}

#[test]
fn a_hundred_thousand_files_and_bottomless_folders_are_refused() {
    let Some(scene) = Scene::open(&[]) else { return };
    let many =
        Trick::new("sh /hostile/hundred-thousand-files.sh").limit("disk", "2g").limit("timeout", "300s");
    scene.play(&many).fails("size_limit", &["more than 100000 files and folders", "`output_files_max`"]);
    let deep = Trick::new("sh /hostile/deep-folders.sh");
    scene.play(&deep).fails("size_limit", &["more than 64 levels deep", "`outputs.depth_max`"]);
    scene.close();
}

/// Nobody here can look into the folders of an engine on another machine, so it is asked.
#[test]
fn an_engine_elsewhere_is_asked_what_was_written_over_the_images_files() {
    if !crate::house::has_engine() {
        return;
    }
    let address = format!("tcp://{}", crate::egress::forward_to_the_engine());
    let Some(scene) = Scene::open(&[("DOCKER_HOST", &address)]) else { return };
    let script = "for i in 1 2 3; do head -c 15m /dev/zero >/x$i; done; sleep 60";
    scene
        .play(&Trick::new(script).spec("user", "image").limit("disk", "20m"))
        .fails("size_limit", &["the component's own file system grew over its limit", "disk limit 20 MiB"]);
    scene.close();
}
