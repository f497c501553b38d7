//! The door, spoken to as any client would.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::serve;
use crate::telemetry::{Loop, Meters, Part};

const PATIENCE: Duration = Duration::from_secs(30);

/// A worker's door on a free port.
struct Door {
    address: SocketAddr,
    meters: Meters,
    stop: CancellationToken,
    serving: JoinSet<std::io::Result<()>>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Door {
    async fn open(parts: &[Part]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let meters = Meters::new(parts, Duration::from_secs(15));
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, meters.clone(), stop.clone()));
        Self { address, meters, stop, serving }
    }

    async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        // The server closes: an answer that did not say so would be waited for in vain.
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: worker\r\n\r\n")).await
    }

    async fn close(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.serving.join_next()).await;
        ended.unwrap().unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_worker_is_ready_when_its_parts_are_and_says_which_is_not() {
    let door = Door::open(&[Part::Broker, Part::Catalog, Part::Engine]).await;
    door.meters.connection(Part::Catalog, true);
    door.meters.connection(Part::Broker, false);
    let answer = door.get("/readyz").await;
    assert_eq!(answer.status, 503);
    let mut told = answer.json();
    assert!(told["parts"]["broker"]["seconds"].take().is_u64());
    assert_eq!(
        told,
        json!({"status": "not_ready", "parts": {
            "blobs": {"state": "unused"}, "broker": {"state": "down", "seconds": null}, "catalog": {"state": "up"},
            "engine": {"state": "unknown"},
        }})
    );
    door.meters.connection(Part::Broker, true);
    door.meters.connection(Part::Engine, true);
    let answer = door.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ready")));
    door.meters.drain();
    let answer = door.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["status"]), (503, &json!("draining")));
    assert_eq!(door.get("/healthz").await.status, 200, "a worker that drains is alive");
    door.close().await;
}

#[tokio::test]
async fn a_worker_whose_loop_is_stuck_is_not_healthy_though_its_parts_are_up() {
    let door = Door::open(&[]).await;
    assert_eq!(door.get("/healthz").await.json(), json!({"status": "alive", "loops": {}}));
    door.meters.watch(Loop::Heart, Duration::from_secs(3600));
    let told = json!({"status": "alive", "loops": {"heart": {"state": "turning", "seconds": 0}}});
    let answer = door.get("/healthz").await;
    assert_eq!((answer.status, answer.json()), (200, told));
    door.meters.watch(Loop::Claims, Duration::ZERO);
    let answer = door.get("/healthz").await;
    assert_eq!((answer.status, &answer.json()["status"]), (503, &json!("stuck")));
    assert_eq!(answer.json()["loops"]["claims"]["state"], "stuck");
    assert_eq!(door.get("/readyz").await.status, 200);
    door.close().await;
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let door = Door::open(&[]).await;
    door.meters.slots(3, 8);
    let answer = door.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{}",
        answer.head
    );
    assert!(
        answer.body.contains("\nlongshore_slots_used 3\n") && answer.body.ends_with("# EOF\n"),
        "{}",
        answer.body
    );
    door.close().await;
}

#[tokio::test]
async fn nothing_else_is_answered() {
    let door = Door::open(&[]).await;
    assert_eq!(door.get("/").await.status, 404);
    assert_eq!(door.get("/metrics/../etc/passwd").await.status, 404);
    assert_eq!(
        door.ask("POST /readyz HTTP/1.1\r\nhost: w\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await
            .status,
        405
    );
    assert_eq!(door.ask("nonsense\r\n\r\n").await.status, 400);
    door.close().await;
}

#[tokio::test]
async fn clients_that_say_nothing_neither_hold_up_others_for_long_nor_the_end() {
    let door = Door::open(&[]).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(door.address).await.unwrap());
    }
    // All places are taken until the first of them are given up.
    assert_eq!(door.get("/healthz").await.status, 200);
    door.close().await;
    drop(silent);
}
