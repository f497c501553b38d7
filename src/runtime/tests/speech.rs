//! Nothing that is said gets lost.

use std::fmt::Write as _;

use super::house::{House, read_all};
use crate::job::Exit;
use crate::runtime::{SpoolWriter, Stream, create};

fn numbered(name: &str) -> String {
    (0..20_000).fold(String::new(), |mut text, number| {
        writeln!(text, "{name} {number}").unwrap();
        text
    })
}

#[tokio::test]
async fn twenty_thousand_lines_on_both_streams_arrive_in_order() {
    let Some(house) = House::open("twenty_thousand_lines").await else {
        return;
    };
    let script = "i=0; while [ $i -lt 20000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    let story = house.run(house.plan(script)).await;
    assert!(matches!(story.exit(), Exit::Clean(_)), "{:?}", story.exit());
    assert!(story.ended.log_complete);
    assert_eq!(story.said(Stream::Stdout), numbered("out"));
    assert_eq!(story.said(Stream::Stderr), numbered("err"));
    for stream in [Stream::Stdout, Stream::Stderr] {
        let times = story.records.iter().filter(|record| record.stream == stream).map(|record| record.time);
        assert!(times.is_sorted());
    }
}

#[tokio::test]
async fn a_long_line_without_an_end_arrives_whole() {
    let Some(house) = House::open("a_long_line_without_an_end").await else {
        return;
    };
    let story = house.run(house.plan("head -c 100000 /dev/zero | tr '\\0' x")).await;
    assert_eq!(story.said(Stream::Stdout), "x".repeat(100_000));
    assert!(story.records.len() > 1, "the engine cuts long lines");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept() {
    let Some(house) = House::open("bytes_that_are_no_text").await else {
        return;
    };
    let story = house.run(house.plan(r"printf 'a\377\000b\r\n'")).await;
    let bytes: Vec<u8> = story.records.into_iter().flat_map(|record| record.bytes).collect();
    // The engine's file is JSON, so it has replaced what is no UTF-8 before we could see it.
    assert_eq!(String::from_utf8(bytes).unwrap(), "a\u{fffd}\0b\r\n");
}

#[tokio::test]
async fn values_reach_the_container_byte_for_byte() {
    let Some(house) = House::open("values_reach_the_container").await else {
        return;
    };
    let story = house.run(house.plan(r#"printf '%s|' "$GREETING""#)).await;
    assert_eq!(story.said(Stream::Stdout), "a=b \"c\" $d\n'e'|");
}

#[tokio::test]
async fn a_silent_container_has_a_complete_log() {
    let Some(house) = House::open("a_silent_container").await else {
        return;
    };
    let story = house.run(house.plan("exit 0")).await;
    assert!(story.ended.log_complete);
    assert_eq!(story.records, []);
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_is_an_error_after_the_container_was_stopped() {
    let Some(house) = House::open("a_spool_that_cannot_be_written").await else {
        return;
    };
    let spool = SpoolWriter::create("/dev/full".as_ref()).await.unwrap();
    let reader = spool.reader().await.unwrap();
    let mut container = create(&house.engine, house.plan("echo x; sleep 300")).await.unwrap();
    let error = container.run(spool, &tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    let state = house.engine.inspect_container(container.id()).await.unwrap().state;
    container.remove().await.unwrap();
    assert!(error.is_disk_full(), "{error:?}");
    assert!(state.started && !state.running, "{state:?}");
    assert_eq!(read_all(reader).await, []);
}

#[tokio::test]
async fn a_spool_that_fails_while_the_container_is_being_stopped_is_still_an_error() {
    let Some(house) = House::open("a_spool_that_fails_while_stopping").await else {
        return;
    };
    let spool = SpoolWriter::create("/dev/full".as_ref()).await.unwrap();
    let mut plan = house.plan("trap 'echo x; exit 0' TERM; while :; do sleep 0.1; done");
    plan.timeout = Some(std::time::Duration::from_secs(1));
    plan.grace = std::time::Duration::from_secs(60);
    let mut container = create(&house.engine, plan).await.unwrap();
    let ended = container.run(spool, &tokio_util::sync::CancellationToken::new()).await;
    container.remove().await.unwrap();
    assert!(ended.unwrap_err().is_disk_full());
}
