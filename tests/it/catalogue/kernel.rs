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
        nothing_was_done(played.log(), 48);
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
    let files = "files 16384 of 131072 blocks, core 0\n";
    played.says(&["can't set date", files, "score 500\n", "after 500\nmounted\n"]);
    scene.close();
}

#[test]
fn a_program_that_is_installed_to_run_as_root_does_not() {
    let Some(scene) = Scene::open(&[]) else { return };
    // The worker's user, or the one that it takes for a component where it is root itself.
    let script = "ls -l /hostile/setuid-root; id -u; /hostile/setuid-root";
    let played = scene.play(&Trick::new(script)).succeeds().says(&["-rwsr-xr-x", "root: refused"]);
    let user = played.log().lines().nth(1).unwrap();
    assert_ne!(user, "0");
    assert_eq!(played.log().lines().nth(2).unwrap(), format!("runs as {user}, {user} and {user}"));
    scene.close();
}

#[test]
fn who_holds_its_own_first_process_is_ended_by_the_time_limit() {
    let Some(scene) = Scene::open(&[("LONGSHORE_STOP_GRACE", "1s")]) else { return };
    // Whether it may trace at all is the engine's profile to say; it sees no process but its own.
    let script = "ls /proc | grep -c '^[0-9]'; exec /hostile/trace-init";
    let played = scene.play(&Trick::new(script).limit("timeout", "3s"));
    let log = played.log().to_owned();
    if log.contains("first process: attached") {
        played.fails("time_limit", &["3 s"]);
    } else {
        played.succeeds();
    }
    let seen: u32 = log.lines().next().unwrap().parse().unwrap();
    assert!(seen <= 5, "it sees {seen} processes");
    scene.close();
}
