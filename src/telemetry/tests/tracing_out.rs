//! Traces, against a collector that is a script.

use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::{OtlpOptions, Traces, traces};
use crate::job::{AttemptNumber, ComponentId, FailureCode, JobId, JobStatus, Phase, WorkerId};

const PATIENCE: Duration = Duration::from_secs(30);

/// Takes one request whole, answers it, and returns its head and body.
async fn take_request(listener: &TcpListener, answer: &str) -> (String, Vec<u8>) {
    let (mut stream, _from) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the request broke off: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let body = &bytes[end + 4..];
        if body.len() >= length.unwrap_or(0) {
            stream.write_all(answer.as_bytes()).await.unwrap();
            return (head, body.to_vec());
        }
    }
}

fn options(endpoint: String) -> OtlpOptions {
    OtlpOptions { endpoint }
}

fn worker() -> WorkerId {
    WorkerId::parse("w-test").unwrap()
}

fn component() -> ComponentId {
    ComponentId::parse("shell-transformation").unwrap()
}

fn run_a_job(traces: &Traces, job: JobId) {
    let mut trace = traces.job(job, AttemptNumber(2), &component(), None);
    trace.enter(Phase::Stage);
    trace.enter(Phase::Run);
    trace.end(JobStatus::Error, Some(FailureCode::OutOfMemory));
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_job_and_its_phases_reach_the_collector_under_the_jobs_own_id() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (traces, export) = traces(Some(&options(endpoint)), &worker()).unwrap();
    let job: JobId = "0192f0c1-2b3c-7d4e-8f50-617283940a1b".parse().unwrap();
    run_a_job(&traces, job);
    drop(traces);
    let stop = CancellationToken::new();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let talk = async { tokio::join!(export.unwrap().run(&stop), take_request(&listener, answer)) };
    let ((), (head, body)) = tokio::time::timeout(PATIENCE, talk).await.unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/x-protobuf"), "{head}");
    let id = [0x01, 0x92, 0xf0, 0xc1, 0x2b, 0x3c, 0x7d, 0x4e, 0x8f, 0x50, 0x61, 0x72, 0x83, 0x94, 0x0a, 0x1b];
    assert_eq!(body.windows(16).filter(|window| *window == id).count(), 3, "the job and two phases");
    for word in [
        "job",
        "stage",
        "run",
        "service.name",
        "longshore",
        "w-test",
        "job.id",
        "shell-transformation",
        "job.status",
        "error",
        "error.code",
        "out_of_memory",
        "error.blame",
        "user",
    ] {
        assert!(contains(&body, word.as_bytes()), "{word}");
    }
}

#[tokio::test]
async fn what_waits_when_the_worker_stops_is_still_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (traces, export) = traces(Some(&options(endpoint)), &worker()).unwrap();
    run_a_job(&traces, JobId::fresh());
    let stop = CancellationToken::new();
    stop.cancel();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    // The worker still holds its end: stopping does not wait until that is dropped.
    let talk = async { tokio::join!(export.unwrap().run(&stop), take_request(&listener, answer)) };
    let ((), (_head, body)) = tokio::time::timeout(PATIENCE, talk).await.unwrap();
    assert!(contains(&body, b"out_of_memory"));
    drop(traces);
}

#[tokio::test]
async fn a_collector_that_is_away_or_silent_or_refuses_holds_up_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = [address(&gone), address(&silent), address(&refusing)];
    drop(gone);
    let stop = CancellationToken::new();
    let mut exports = JoinSet::new();
    for endpoint in endpoints {
        let (traces, export) = traces(Some(&options(endpoint)), &worker()).unwrap();
        let began = SystemTime::now();
        // Far more than are kept: what is too much is dropped, and handing over never waits.
        for _ in 0..3_000 {
            run_a_job(&traces, JobId::fresh());
        }
        assert!(began.elapsed().unwrap() < PATIENCE);
        let stop = stop.clone();
        exports.spawn(async move { export.unwrap().run(&stop).await });
    }
    let refusal = async {
        loop {
            take_request(
                &refusing,
                "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            )
            .await;
        }
    };
    let ended = async {
        stop.cancel();
        while let Some(ended) = exports.join_next().await {
            ended.unwrap();
        }
    };
    let all = async {
        tokio::select! {
            () = ended => {}
            () = refusal => {}
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

#[test]
fn without_a_collector_a_trace_costs_nothing_and_goes_nowhere() {
    let (traces, export) = traces(None, &worker()).unwrap();
    assert!(export.is_none());
    run_a_job(&traces, JobId::fresh());
}
