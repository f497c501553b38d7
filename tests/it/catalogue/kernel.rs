//! What the kernel is asked for: calls and files that change the host, and rights that were taken away.

use super::{Scene, Trick};

/// Fails with every line that tells of something done.
fn nothing_was_done(log: &str, least: usize) {
    let done: Vec<&str> = log.lines().filter(|line| line.contains(": DONE")).collect();
    assert!(done.is_empty(), "{done:#?}");
    let refused = log.lines().filter(|line| line.contains(": refused") || line.contains(": nothing")).count();
    assert!(refused >= least, "only {refused} things were tried:\n{log}");
}

#[test]
fn calls_that_change_the_host_are_refused_also_to_root() {
    let Some(scene) = Scene::open(&[]) else { return };
    let hostname = rustix::system::uname().nodename().to_owned();
    for user in ["runner", "image"] {
        let played = scene.play(&Trick::new("/hostile/forbidden").spec("user", user)).succeeds();
        nothing_was_done(played.log(), 30);
    }
    assert_eq!(rustix::system::uname().nodename(), hostname.as_c_str());
    scene.close();
}

#[test]
fn files_of_the_kernel_and_the_engine_are_closed_also_to_root() {
    let Some(scene) = Scene::open(&[]) else { return };
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    for user in ["runner", "image"] {
        let played = scene.play(&Trick::new("sh /hostile/forbidden-files.sh").spec("user", user)).succeeds();
        nothing_was_done(played.log(), 20);
    }
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), pattern);
    scene.close();
}

#[test]
fn the_clock_and_the_limits_stay_as_they_are() {
    let Some(scene) = Scene::open(&[]) else { return };
    let script = "date -s 2001-01-01 2>&1; ulimit -n 1000000 || true; ulimit -c unlimited || true; \
                  echo files $(ulimit -n) of $(ulimit -f) blocks, core $(ulimit -c); \
                  echo score $(cat /proc/self/oom_score_adj); echo -900 >/proc/self/oom_score_adj || true; \
                  echo after $(cat /proc/self/oom_score_adj); \
                  awk '$5 == \"/data\" { for (i = 7; $i != \"-\"; i++) print \"shared\", $i; print \"mounted\" }' /proc/self/mountinfo";
    let played = scene.play(&Trick::new(script).spec("user", "image")).succeeds();
    // busybox counts file sizes in blocks of 512 bytes: 64 MiB, to which inputs would be added.
    let words =
        ["can't set date", "files 16384 of 131072 blocks, core 0\n", "score 500\nafter 500\nmounted\n"];
    played.says(&words);
    scene.close();
}
