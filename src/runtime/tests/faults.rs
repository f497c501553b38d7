//! The engine seen through a bad line: what breaks off is taken up again and nothing is lost or doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::house::House;
use crate::engine::{Engine, EngineOptions};
use crate::job::Exit;
use crate::runtime::Stream;

/// What the line does to the first request whose target contains `target`.
#[derive(Debug, Clone, Copy)]
struct Fault {
    target: &'static str,
    /// Bytes of the answer that get through.
    through: u64,
    then: Then,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    HangUp,
    /// Keeps the connection and sends nothing more.
    FallSilent,
}

/// Carries connections to the engine; lives as long as the set.
async fn bad_line(fault: Fault) -> (String, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    let mut line = JoinSet::new();
    line.spawn(async move {
        let mut calls = JoinSet::new();
        loop {
            let (client, _peer) = listener.accept().await.unwrap();
            calls.spawn(carry(client, fault, Arc::clone(&counted)));
        }
    });
    (host, hits, line)
}

async fn carry(mut client: TcpStream, fault: Fault, hits: Arc<AtomicUsize>) {
    let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
    let mut request = vec![0; 16 << 10];
    let length = client.read(&mut request).await.unwrap();
    request.truncate(length);
    engine.write_all(&request).await.unwrap();
    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
    let hit = line.contains(fault.target) && hits.fetch_add(1, Ordering::SeqCst) == 0;
    let (mut from_engine, mut to_engine) = engine.split();
    let (mut from_client, mut to_client) = client.split();
    // Either side may hang up at any time; the other then notices by itself.
    if hit {
        drop(copy(&mut (&mut from_engine).take(fault.through), &mut to_client).await);
        match fault.then {
            Then::HangUp => {}
            Then::FallSilent => drop(from_client.read_u8().await),
        }
    } else {
        tokio::select! {
            _ = copy(&mut from_engine, &mut to_client) => {}
            _ = async { copy(&mut from_client, &mut to_engine).await.map(drop)?; std::future::pending::<std::io::Result<()>>().await } => {}
        }
    }
}

#[rstest]
#[case::the_log_breaks_off_early(Fault { target: "follow=1", through: 700, then: Then::HangUp })]
#[case::the_log_breaks_off_late(Fault { target: "follow=1", through: 60_000, then: Then::HangUp })]
#[case::the_log_falls_silent(Fault { target: "follow=1", through: 5_000, then: Then::FallSilent })]
#[case::the_wait_breaks_off(Fault { target: "/wait?condition=next-exit", through: 200, then: Then::HangUp })]
#[tokio::test]
async fn a_broken_line_loses_nothing(#[case] fault: Fault) {
    let Some(mut house) = House::open("a_broken_line_loses_nothing").await else {
        return;
    };
    let (host, hits, _line) = bad_line(fault).await;
    house.engine = Engine::connect(EngineOptions { host: Some(host) }).await.unwrap();
    let story = house
        .run(house.plan("for i in $(seq 1 1000); do echo line $i; done; sleep 1; echo end; exit 0"))
        .await;
    assert!(hits.load(Ordering::SeqCst) > 0, "the fault was not met");
    assert!(matches!(story.exit(), Exit::Clean(_)), "{:?}", story.exit());
    let expected: String =
        (1..=1000).map(|number| format!("line {number}\n")).chain(["end\n".to_owned()]).collect();
    assert_eq!(story.said(Stream::Stdout), expected);
    assert!(story.ended.log_complete);
}

#[tokio::test]
async fn without_cgroup_files_usage_is_sampled() {
    let Some(mut house) = House::open("without_cgroup_files_usage_is_sampled").await else {
        return;
    };
    let (host, _hits, _line) = bad_line(Fault { target: "nothing", through: 0, then: Then::HangUp }).await;
    house.engine = Engine::connect(EngineOptions { host: Some(host) }).await.unwrap();
    assert!(!house.engine.facts().await.unwrap().local);
    let story = house.run(house.plan("sleep 3")).await;
    assert!(matches!(story.exit(), Exit::Clean(_)), "{:?}", story.exit());
    assert!(story.ended.memory_peak_bytes.unwrap() > 0);
    assert!(story.ended.cpu.is_some());
    assert_eq!(story.ended.inspect["HostConfig"]["CgroupParent"], "");
}
