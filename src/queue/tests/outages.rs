use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::bench::{Bench, Intake, PATIENCE, PORT, Wire, options};
use super::broker::Broker;
use crate::job::{Hidden, Priority};
use crate::queue::{Publisher, QueueError, QueueOptions, setup};

/// The options of a bench, but by way of a wire.
fn by(wire: &Wire, options: &QueueOptions) -> QueueOptions {
    let url = Hidden::new(format!("amqp://guest:guest@127.0.0.1:{}/%2f", wire.port));
    QueueOptions { url, heartbeat: Duration::from_secs(1), ..options.clone() }
}

/// The threads of the client library, one for each connection.
fn client_threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // A thread may end while we look.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|name| name.starts_with("lapin-io-loop")).count()
}

#[tokio::test]
async fn a_message_whose_session_dropped_comes_again_and_its_late_answer_is_an_error() {
    let Some(bench) = Bench::new().await else { return };
    let wire = Wire::to(PORT).await;
    let publisher = Publisher::new(bench.options.clone());
    publisher.submit(Priority::Normal, "1", b"{}".to_vec()).await.unwrap();
    publisher.close().await;
    let mut intake = Intake::of(by(&wire, &bench.options), 10);
    let first = intake.next().await;
    wire.fall_silent();
    let again = intake.next().await;
    assert_eq!(again.message_id.as_deref(), Some("1"));
    let late = first.accept().await.unwrap_err();
    assert!(matches!(late, QueueError::SessionOver), "{late}");
    again.accept().await.unwrap();
    intake.stop().await;
    bench.clear().await;
}

#[tokio::test]
async fn a_silent_wire_is_noticed_and_everything_is_rebuilt_in_order() {
    let Some(bench) = Bench::new().await else { return };
    let wire = Wire::to(PORT).await;
    let publisher = Publisher::new(by(&wire, &bench.options));
    for number in 0..3 {
        publisher.submit(Priority::Normal, &number.to_string(), b"{}".to_vec()).await.unwrap();
    }
    let mut intake = Intake::of(by(&wire, &bench.options), 10);
    assert_eq!(intake.next_id().await, "0");
    wire.fall_silent();
    let error = intake.is_down().await;
    assert!(error.contains("did not answer within 1 s") || error.contains("no heartbeat"), "{error}");
    intake.is_up().await;
    // What was not answered comes again, in its order, and what is published by the other half-dead connection too.
    for number in 3..6 {
        publisher.submit(Priority::Normal, &number.to_string(), b"{}".to_vec()).await.unwrap();
    }
    let mut ids = Vec::new();
    while ids.last().is_none_or(|id| id != "5") {
        ids.push(intake.next_id().await);
    }
    // The accept of `0` may have been lost on the wire, and the first submission may have arrived twice.
    ids.dedup();
    let expected = ["1", "2", "3", "4", "5"];
    assert!(ids == expected || ids[1..] == expected, "{ids:?}");
    publisher.close().await;
    intake.stop().await;
    // Of the connections that nobody answered on nothing is left, though their peer never closed them.
    while client_threads() > 0 {
        tokio::task::yield_now().await;
    }
    bench.clear().await;
}

#[tokio::test]
async fn nothing_is_lost_when_the_broker_restarts_while_messages_come_and_go() {
    let Some(broker) = Broker::start("") else { return };
    let options = options(broker.port);
    setup(&options).await.unwrap();
    let publisher = Publisher::new(options.clone());
    let mut intake = Intake::of(options.clone(), 5);
    let (end, is_end) = tokio::sync::watch::channel(false);
    let mut publishing = JoinSet::new();
    let submitting = publisher.clone();
    // As an orchestrator does: the same request again until the broker has confirmed it.
    publishing.spawn(async move {
        let mut number = 0_u32;
        while !*is_end.borrow() {
            while submitting.submit(Priority::Normal, &number.to_string(), b"{}".to_vec()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            number += 1;
        }
        number
    });
    let (heard, mut ids) = tokio::sync::mpsc::channel(16);
    // Heard by one future to the end: a wait that is given up in the middle of an acceptance would lose the id.
    let hearing = async { while heard.send(intake.next_id().await).await.is_ok() {} };
    let story = async {
        let mut came = vec![ids.recv().await.unwrap()];
        for step in [["stop_app"], ["start_app"], ["stop_app"], ["start_app"]] {
            let before = came.len();
            let mut running = std::pin::pin!(broker.script(step));
            loop {
                tokio::select! {
                    () = &mut running => break,
                    id = ids.recv() => came.push(id.unwrap()),
                }
            }
            while step == ["start_app"] && came.len() < before + 20 {
                came.push(ids.recv().await.unwrap());
            }
        }
        end.send_replace(true);
        let count = timeout(PATIENCE, publishing.join_next()).await.unwrap().unwrap().unwrap();
        while came.last() != Some(&(count - 1).to_string()) {
            came.push(ids.recv().await.unwrap());
        }
        (came, count)
    };
    let (came, count) = tokio::select! {
        told = story => told,
        () = hearing => panic!("nobody listens any more"),
    };
    // All came, each for the first time in the order of publication; some came twice.
    let mut first_times: Vec<u32> = Vec::new();
    for id in came {
        let id = id.parse().unwrap();
        if !first_times.contains(&id) {
            first_times.push(id);
        }
    }
    assert_eq!(first_times, (0..count).collect::<Vec<_>>());
    publisher.close().await;
    intake.stop().await;
}

#[tokio::test]
async fn a_broker_short_of_memory_takes_no_messages_says_so_and_still_gives_out_what_it_has() {
    let Some(broker) = Broker::start("") else { return };
    let options = options(broker.port);
    setup(&options).await.unwrap();
    let publisher = Publisher::new(options.clone());
    for number in 0..3 {
        publisher.submit(Priority::Normal, &number.to_string(), b"{}".to_vec()).await.unwrap();
    }
    broker.script(["ctl", "set_vm_memory_high_watermark", "absolute", "1MB"]).await;
    let blocked = async {
        // The alarm is raised when the broker next looks at its memory.
        loop {
            if let Err(error) = publisher.submit(Priority::Low, "late", b"{}".to_vec()).await {
                return error;
            }
        }
    };
    let error = timeout(PATIENCE, blocked).await.unwrap();
    assert!(matches!(error, QueueError::Blocked), "{error}");
    let mut intake = Intake::of(options.clone(), 1);
    for number in 0..3 {
        assert_eq!(intake.next_id().await, number.to_string());
    }
    broker.script(["ctl", "set_vm_memory_high_watermark", "absolute", "1GB"]).await;
    let unblocked =
        async { while publisher.submit(Priority::High, "again", b"{}".to_vec()).await.is_err() {} };
    timeout(PATIENCE, unblocked).await.unwrap();
    publisher.close().await;
    intake.stop().await;
}
