//! Connections, whatever is spoken on them: taken in turn, each heard to its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::frames::Frames;
use super::sink::Sink;
use crate::runtime::SpoolError;

/// Connections that are heard at once; further ones wait in the kernel until one of these is over.
const CONNECTIONS_MAX: usize = 1024;
const READ_BYTES: usize = 8 << 10;
/// A container that has ended has closed its connections; one that says nothing for so long after it was cut off.
const SILENCE: Duration = Duration::from_secs(1);
/// After an error of the listener: it is out of file handles, which passes.
const PAUSE: Duration = Duration::from_millis(100);

/// Gives each connection to `hear` until the container has ended and all connections too. Those that were opened before the
/// end and not looked at yet are heard as well.
pub(super) async fn serve<F>(
    listener: &TcpListener,
    sink: &Arc<Sink>,
    ended: &CancellationToken,
    hear: impl Fn(TcpStream) -> F,
) -> Result<(), SpoolError>
where
    F: Future<Output = Result<(), SpoolError>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        tokio::select! {
            biased;
            () = sink.full.cancelled() => break,
            () = ended.cancelled() => break,
            Some(over) = connections.join_next(), if !connections.is_empty() => settle(over)?,
            (stream, caller, permit) = accept(listener, &room) => {
                if sink.admits(caller.ip()) {
                    let hearing = hear(stream);
                    connections.spawn(async move { let heard = hearing.await; drop(permit); heard });
                }
            }
        }
    }
    loop {
        match waiting(listener) {
            Ok((stream, caller)) if sink.admits(caller.ip()) => {
                connections.spawn(hear(stream));
            }
            Ok(_stranger) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // Out of file handles: those who are heard now give theirs back.
            Err(_passing) => match connections.join_next().await {
                Some(over) => settle(over)?,
                None => break,
            },
        }
    }
    while let Some(over) = connections.join_next().await {
        settle(over)?;
    }
    Ok(())
}

/// A connection that waits in the kernel; never waits for one.
fn waiting(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, caller) = SockRef::from(listener).accept()?;
    socket.set_nonblocking(true)?;
    let caller = caller.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((TcpStream::from_std(socket.into())?, caller))
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Nobody closes this semaphore.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, caller)) => return (stream, caller, permit),
            Err(_passing) => sleep(PAUSE).await,
        }
    }
}

/// A connection's task that broke down took only its own messages along.
fn settle(over: Result<Result<(), SpoolError>, tokio::task::JoinError>) -> Result<(), SpoolError> {
    match over {
        Ok(heard) => heard,
        Err(error) => {
            tracing::warn!(%error, "a connection for log messages broke down");
            Ok(())
        }
    }
}

/// Hears one connection that speaks GELF: messages ended by NUL.
pub(super) async fn hear(
    mut stream: TcpStream,
    sink: Arc<Sink>,
    budget: Arc<Budget>,
    ended: CancellationToken,
) -> Result<(), SpoolError> {
    let mut frames = Frames::new(budget);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = tokio::select! {
            biased;
            () = sink.full.cancelled() => break,
            read = stream.read(&mut buffer) => read,
            () = silent_after(&ended) => break,
        };
        let count = match read {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let mut messages = Vec::new();
        frames.push(buffer.get(..count).unwrap_or_default(), |message| messages.push(message));
        for message in messages {
            sink.take(message.bytes).await?;
        }
    }
    let mut last = Vec::new();
    frames.finish(|message| last.push(message));
    for message in last {
        sink.take(message.bytes).await?;
    }
    Ok(())
}

/// Passes when the container has ended and a while has gone by since.
pub(super) async fn silent_after(ended: &CancellationToken) {
    ended.cancelled().await;
    sleep(SILENCE).await;
}
