//! Three calls are spoken plainly, without the client library: the wait, whose headers it hides; the log, which it
//! hands over in pieces so small that reading costs more than writing; and the pull, where it writes credentials in an
//! alphabet that engines do not read.
//!
//! HTTP/1.0 keeps this small: no chunks, and the body ends where the connection does.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::client::{ASK_LIMIT, Address};
use super::{Engine, EngineError};

/// An honest head, or the body of a refusal, is far smaller.
const SMALL_BYTES_MAX: usize = 64 << 10;

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// An answer that began with success. Its body is read by the caller, who also sets the deadline.
pub(super) struct PlainAnswer {
    connection: Box<dyn Connection>,
    action: &'static str,
    subject: String,
    /// What has arrived of the body and was not taken.
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for PlainAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainAnswer").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Engine {
    /// Sends a request without a body and returns when the engine has answered with headers. `target` comes after the
    /// API version.
    pub(super) async fn speak(
        &self,
        action: &'static str,
        subject: String,
        method: &str,
        target: &str,
    ) -> Result<PlainAnswer, EngineError> {
        self.speak_with(action, subject, (method, target), "", ASK_LIMIT).await
    }

    /// As `speak`, with more headers, each ending its line, and a deadline for the answer's beginning.
    pub(super) async fn speak_with(
        &self,
        action: &'static str,
        subject: String,
        (method, target): (&str, &str),
        headers: &str,
        limit: Duration,
    ) -> Result<PlainAnswer, EngineError> {
        let request = format!(
            "{method} /v{}{target} HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n{headers}\r\n",
            self.api_version()
        );
        let silent = EngineError::Silent { action, subject: subject.clone(), after: limit };
        let connected = tokio::time::timeout(limit, async {
            let connection = connect(&self.address).await?;
            PlainAnswer { connection, action, subject, body: Vec::new() }.begin(&request).await
        });
        connected.await.unwrap_or(Err(silent))
    }
}

impl PlainAnswer {
    /// Reads more of the body; false at its end. May be dropped and called again.
    pub(super) async fn more(&mut self) -> Result<bool, EngineError> {
        match self.connection.read_buf(&mut self.body).await {
            Ok(count) => Ok(count > 0),
            Err(error) => Err(self.broken(error)),
        }
    }

    pub(super) fn broken(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
        EngineError::Broken { action: self.action, subject: self.subject.clone(), source: source.into() }
    }

    async fn begin(mut self, request: &str) -> Result<Self, EngineError> {
        self.connection.write_all(request.as_bytes()).await.map_err(|error| self.broken(error))?;
        let body_start = loop {
            if let Some(end) = memchr::memmem::find(&self.body, b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more_small().await? {
                return Err(self.broken("the answer has no head"));
            }
        };
        let body = self.body.split_off(body_start);
        let head = std::mem::replace(&mut self.body, body);
        let status = status_of(&head).ok_or_else(|| self.broken("the answer has no status"))?;
        if status == 200 {
            return Ok(self);
        }
        while self.more_small().await? {}
        Err(EngineError::Refused {
            action: self.action,
            subject: self.subject,
            status,
            message: refusal(&self.body),
        })
    }

    async fn more_small(&mut self) -> Result<bool, EngineError> {
        if self.body.len() > SMALL_BYTES_MAX {
            return Err(self.broken("the answer is too long"));
        }
        self.more().await
    }
}

async fn connect(address: &Address) -> Result<Box<dyn Connection>, EngineError> {
    let unreachable = |error: io::Error| EngineError::Unreachable {
        address: address.to_string(),
        source: Some(Box::new(error)),
    };
    Ok(match address {
        Address::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(unreachable)?),
        Address::Tcp(authority) => Box::new(TcpStream::connect(authority).await.map_err(unreachable)?),
    })
}

/// The status of `HTTP/1.x 200 …`.
fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let text = std::str::from_utf8(line).ok()?;
    text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// The engine wraps its reason in `{"message": …}`; a proxy before it may not.
fn refusal(body: &[u8]) -> String {
    let wrapped = serde_json::from_slice::<serde_json::Value>(body).ok();
    let message = wrapped.as_ref().and_then(|value| value.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).trim().to_owned(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(status_of(b"HTTP/1.0 200 OK\r\nX: 404"), Some(200));
        assert_eq!(status_of(b"HTTP/1.1 404 Not Found\r\n"), Some(404));
        assert_eq!(status_of(b"SSH-2.0-OpenSSH\r\n"), None);
    }

    #[test]
    fn a_refusal_is_told_in_the_engines_words() {
        assert_eq!(refusal(b"{\"message\":\"No such container: x\"}\n"), "No such container: x");
        assert_eq!(refusal(b"bad gateway\n"), "bad gateway");
    }
}
