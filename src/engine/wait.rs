//! Waiting for a container's end, with the certainty that the engine is listening before we go on.
//!
//! The client library sends this request only when its answer is polled and hides the headers, yet those headers
//! are the barrier: without them a short container may start and end unseen. So this one call is spoken plainly.
//! HTTP/1.0 keeps it small: the body ends where the connection does.

use std::fmt;
use std::io;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::client::{ASK_LIMIT, Address};
use super::{Engine, EngineError};

/// An honest answer has a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// The engine has said that it is listening for the container's next exit.
pub(crate) struct ExitWait {
    connection: Box<dyn Connection>,
    subject: String,
    /// What has arrived of the body.
    body: Vec<u8>,
}

impl fmt::Debug for ExitWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitWait")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct WaitAnswer {
    #[serde(rename = "StatusCode")]
    status_code: i64,
}

impl Engine {
    /// Asks for the next exit of a container that was not started yet. Returns once the engine listens.
    pub(crate) async fn wait_next_exit(&self, id: &str) -> Result<ExitWait, EngineError> {
        self.wait(id, "next-exit").await
    }

    /// Asks for the end of a container that was started; one that has ended already answers at once.
    pub(crate) async fn wait_not_running(&self, id: &str) -> Result<ExitWait, EngineError> {
        self.wait(id, "not-running").await
    }

    async fn wait(&self, id: &str, condition: &str) -> Result<ExitWait, EngineError> {
        let subject = format!("container {id}");
        let target = format!(
            "/v{}/containers/{id}/wait?condition={condition}",
            self.api_version()
        );
        match tokio::time::timeout(ASK_LIMIT, open(&self.address, &target, &subject)).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(EngineError::Silent {
                action: "wait for",
                subject,
                after: ASK_LIMIT,
            }),
        }
    }
}

impl ExitWait {
    /// Waits for the exit code, as long as the container runs: no deadline of its own, and an engine that vanishes
    /// without a word is not noticed, so the caller looks at the container now and then. May be dropped and called
    /// again.
    pub(crate) async fn exit_code(&mut self) -> Result<i64, EngineError> {
        while !more(&mut self.connection, &mut self.body)
            .await
            .map_err(|error| broken(&self.subject, error))?
        {}
        serde_json::from_slice::<WaitAnswer>(&self.body)
            .map(|answer| answer.status_code)
            .map_err(|error| broken(&self.subject, error))
    }
}

async fn open(address: &Address, target: &str, subject: &str) -> Result<ExitWait, EngineError> {
    let unreachable = |error: io::Error| EngineError::Unreachable {
        address: address.to_string(),
        source: Some(Box::new(error)),
    };
    let mut connection: Box<dyn Connection> = match address {
        Address::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(unreachable)?),
        Address::Tcp(authority) => Box::new(TcpStream::connect(authority).await.map_err(unreachable)?),
    };
    let request = format!("POST {target} HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n\r\n");
    connection
        .write_all(request.as_bytes())
        .await
        .map_err(|error| broken(subject, error))?;

    let mut answer = Vec::new();
    let body_start = loop {
        if let Some(end) = memchr::memmem::find(&answer, b"\r\n\r\n") {
            break end + 4;
        }
        if more(&mut connection, &mut answer)
            .await
            .map_err(|error| broken(subject, error))?
        {
            return Err(broken(subject, io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
    };
    let mut body = answer.split_off(body_start);
    let status =
        status_of(&answer).ok_or_else(|| broken(subject, io::Error::from(io::ErrorKind::InvalidData)))?;
    if status == 200 {
        return Ok(ExitWait {
            connection,
            subject: subject.into(),
            body,
        });
    }
    while !more(&mut connection, &mut body)
        .await
        .map_err(|error| broken(subject, error))?
    {}
    let message = String::from_utf8_lossy(&body).trim().to_owned();
    Err(EngineError::Refused {
        action: "wait for",
        subject: subject.into(),
        status,
        message,
    })
}

/// Reads a little more; true at the end of the connection.
async fn more(connection: &mut Box<dyn Connection>, buffer: &mut Vec<u8>) -> io::Result<bool> {
    if buffer.len() > ANSWER_BYTES_MAX {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(connection.read_buf(buffer).await? == 0)
}

/// The status of `HTTP/1.x 200 …`.
fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let text = std::str::from_utf8(line).ok()?;
    text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

fn broken(subject: &str, source: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::Broken {
        action: "wait for",
        subject: subject.into(),
        source: Box::new(source),
    }
}
