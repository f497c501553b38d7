//! Every way to end.

use std::time::Duration;

use rstest::rstest;

use super::house::{House, image};
use crate::job::{BadExit, Exit, SizeKind, StartFailure};
use crate::runtime::{RuntimeError, SpoolReader, SpoolWriter, Stream, create};

#[tokio::test]
async fn exit_code_zero_is_clean_and_its_use_is_measured() {
    let Some(house) = House::open("exit_code_zero_is_clean").await else {
        return;
    };
    let story =
        house.run(house.plan("head -c 8000000 /dev/zero | tail -c 8000000 >/dev/null; echo done")).await;
    assert!(matches!(story.exit(), Exit::Clean(_)), "{story:?}");
    assert_eq!(story.said(Stream::Stdout), "done\n");
    assert!(story.ended.log_complete);
    assert!(story.ended.memory_peak_bytes.unwrap() > 4 << 20, "{:?}", story.ended);
    assert!(story.ended.cpu.unwrap() > Duration::ZERO);
    assert_eq!(story.ended.inspect["State"]["ExitCode"], 0);
    assert!(!story.ended.inspect.to_string().contains("GREETING"), "the environment is not kept");
}

#[rstest]
#[case("exit 1", 1)]
#[case("exit 3", 3)]
#[case("exit 125", 125)]
#[case("exit 127", 127)]
#[case("kill -SEGV $$", 139)]
#[case("kill -KILL $$", 137)]
#[tokio::test]
async fn a_bad_code_is_the_components_own(#[case] script: &str, #[case] code: i64) {
    let Some(house) = House::open("a_bad_code_is_the_components_own").await else {
        return;
    };
    let story = house.run(house.plan(script)).await;
    assert_eq!(*story.exit(), Exit::Bad(BadExit::Code(code)));
}

#[rstest]
#[case::of_the_main_process("exec tail /dev/zero")]
#[case::of_a_child_whose_parent_is_content("tail /dev/zero; exit 0")]
#[tokio::test]
async fn an_out_of_memory_kill_is_seen(#[case] script: &str) {
    let Some(house) = House::open("an_out_of_memory_kill_is_seen").await else {
        return;
    };
    let story = house.run(house.plan(script)).await;
    let Exit::Bad(BadExit::OutOfMemory { limit_bytes, peak_bytes }) = story.exit() else {
        panic!("{story:?}")
    };
    assert_eq!(*limit_bytes, 64 << 20);
    assert!(peak_bytes.unwrap() > 32 << 20, "{peak_bytes:?}");
}

#[tokio::test]
async fn a_component_that_ignores_sigterm_is_killed_at_the_time_limit() {
    let Some(house) = House::open("a_component_that_ignores_sigterm_is_killed").await else {
        return;
    };
    let limit = Duration::from_secs(1);
    let mut plan = house.plan("trap 'echo no' TERM; while :; do sleep 0.1; done");
    plan.timeout = Some(limit);
    let story = house.run(plan).await;
    assert_eq!(*story.exit(), Exit::Bad(BadExit::TimeLimit { limit }));
    assert_eq!(story.said(Stream::Stdout), "no\n", "it was asked before it was killed");
    assert_eq!(story.ended.inspect["State"]["ExitCode"], 137);
}

#[tokio::test]
async fn a_component_that_obeys_sigterm_still_ran_too_long() {
    let Some(house) = House::open("a_component_that_obeys_sigterm").await else {
        return;
    };
    let limit = Duration::from_secs(1);
    let mut plan = house.plan("trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done");
    plan.timeout = Some(limit);
    plan.grace = Duration::from_secs(60);
    let story = house.run(plan).await;
    assert_eq!(*story.exit(), Exit::Bad(BadExit::TimeLimit { limit }));
    assert_eq!(story.said(Stream::Stdout), "bye\n");
    assert_eq!(story.ended.inspect["State"]["ExitCode"], 0);
}

#[tokio::test]
async fn cancelling_stops_the_container_and_its_end_is_still_read() {
    let Some(house) = House::open("cancelling_stops_the_container").await else {
        return;
    };
    let plan = house.plan("echo ready; sleep 300");
    let story = house
        .run_until(plan, |mut reader: SpoolReader, cancel| async move {
            reader.next().await.unwrap();
            cancel.cancel();
        })
        .await;
    assert_eq!(*story.exit(), Exit::Bad(BadExit::Cancelled));
    assert_eq!(story.ended.inspect["State"]["Running"], false);
    assert!(story.ended.log_complete);
}

#[tokio::test]
async fn cancelled_before_the_start_nothing_runs() {
    let Some(house) = House::open("cancelled_before_the_start").await else {
        return;
    };
    let spool = SpoolWriter::create(&house.folder.path().join("spool")).await.unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    cancel.cancel();
    let mut container = create(&house.engine, house.plan("touch /data/out/ran")).await.unwrap();
    let ended = container.run(spool, &cancel).await.unwrap();
    container.remove().await.unwrap();
    assert_eq!(ended.exit, Exit::Bad(BadExit::Cancelled));
    assert!(!house.data().join("out/ran").exists());
}

#[rstest]
#[case::missing("missing", r#"["/nope"]"#, "exec /nope failed: No such file or directory")]
#[case::not_executable("folder", r#"["/etc"]"#, "exec /etc failed: Permission denied")]
#[tokio::test]
async fn an_entrypoint_that_cannot_run_is_named(
    #[case] name: &str,
    #[case] command: &str,
    #[case] reason: &str,
) {
    let Some(house) = House::open("an_entrypoint_that_cannot_run_is_named").await else {
        return;
    };
    let story = house.run(house.plan_of(image(name, command))).await;
    let expected = StartFailure { entrypoint: "the entrypoint".into(), reason: reason.into() };
    assert_eq!(*story.exit(), Exit::Bad(BadExit::CouldNotStart(expected)));
}

#[tokio::test]
async fn a_user_that_the_image_does_not_know_is_a_failed_start() {
    let Some(house) = House::open("a_user_that_the_image_does_not_know").await else {
        return;
    };
    let mut plan = house.plan("true");
    plan.user = Some("nobody-here".into());
    let story = house.run(plan).await;
    let Exit::Bad(BadExit::CouldNotStart(failure)) = story.exit() else { panic!("{story:?}") };
    assert!(failure.reason.contains("nobody-here"), "{failure:?}");
}

#[tokio::test]
async fn a_missing_data_folder_is_the_platforms_trouble() {
    let Some(house) = House::open("a_missing_data_folder").await else {
        return;
    };
    let mut plan = house.plan("true");
    plan.data_folder = house.folder.path().join("gone");
    let error = create(&house.engine, plan).await.map(drop).unwrap_err();
    assert!(matches!(error, RuntimeError::Create { .. }), "{error:?}");
}

#[rstest]
#[case::sparse("head -c 0 /dev/zero; busybox truncate -s 1000000000 /data/out/tables/x; sleep 300", SizeKind::DataFolder, 16 << 20)]
#[case::many("cd /data/out/files; touch $(seq 1 1500); sleep 300", SizeKind::DataFileCount, 1000)]
#[case::in_the_last_moment("busybox truncate -s 1000000000 /data/out/tables/x; exit 0", SizeKind::DataFolder, 16 << 20)]
#[tokio::test]
async fn too_much_output_stops_the_container(
    #[case] script: &str,
    #[case] what: SizeKind,
    #[case] limit: u64,
) {
    let Some(house) = House::open("too_much_output_stops_the_container").await else {
        return;
    };
    let story = house.run(house.plan(script)).await;
    let Exit::Bad(BadExit::SizeLimit { what: hit, limit: limited, found }) = story.exit() else {
        panic!("{story:?}")
    };
    assert_eq!((*hit, *limited), (what, limit));
    assert!(*found > limit);
}

#[tokio::test]
async fn too_much_speech_stops_the_container() {
    let Some(house) = House::open("too_much_speech_stops_the_container").await else {
        return;
    };
    let mut plan = house.plan("yes");
    plan.log_bytes_max = 100_000;
    let story = house.run(plan).await;
    let Exit::Bad(BadExit::SizeLimit { what: SizeKind::Log, limit: 100_000, found }) = story.exit() else {
        panic!("{:?}", story.exit())
    };
    assert!(*found > 100_000);
    assert!(!story.ended.log_complete);
}
