//! Connections of the container: taken, judged, carried or reset.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::judge::Judge;
use super::ledger::{Carried, Ledger};

/// Connections at once; each costs two sockets of the worker.
const CONNECTIONS_MAX: usize = 512;
/// What a client would wait for itself before it gives up.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
const BUFFER_BYTES: usize = 32 << 10;
/// After an accept that failed, which it does without open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections for ever.
pub(super) async fn relay(listener: TcpListener, judge: Arc<Judge>, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    loop {
        // One too many waits in the kernel's queue.
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _container)) => {
                connections.spawn(carry(client, Arc::clone(&judge), Arc::clone(&ledger)));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of a component was not taken");
                sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, from its judgement to its end.
async fn carry(mut client: TcpStream, judge: Arc<Judge>, ledger: Arc<Ledger>) {
    let original = SockRef::from(&client).original_dst_v4();
    let Some(to): Option<SocketAddrV4> = original.ok().and_then(|address| address.as_socket_ipv4()) else {
        // Nobody redirected it, so nobody knows where to.
        return reset(&client);
    };
    let Some(host) = judge.allows(to) else {
        ledger.refuse(&to.ip().to_string(), Some(to.port()));
        return reset(&client);
    };
    let connected = timeout(CONNECT_LIMIT, TcpStream::connect(SocketAddr::V4(to))).await;
    let Ok(Ok(mut server)) = connected else {
        tracing::debug!(%to, "a listed destination did not answer");
        return reset(&client);
    };
    let carried = ledger.contact(&host, to);
    // Latency is the two ends' matter, as it would be without us.
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    if both_ways(&mut client, &mut server, &carried).await.is_err() {
        // Each side learns that it was no orderly end.
        reset(&client);
        reset(&server);
    }
}

async fn both_ways(client: &mut TcpStream, server: &mut TcpStream, carried: &Carried) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let out = one_way(from_client, to_server, &carried.out);
    let back = one_way(from_server, to_client, &carried.back);
    tokio::try_join!(out, back).map(|_both_ended| ())
}

/// Carries bytes until one side has said all, and passes that on.
async fn one_way(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, carried: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let (bytes, _rest) = buffer.split_at(read);
        to.write_all(bytes).await?;
        carried.fetch_add(read as u64, Ordering::Relaxed);
    }
}

/// Makes the end of a connection a reset: a client told by an orderly end would take it for the server's.
fn reset(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "a connection ends orderly that should be reset");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::mpsc;

    use super::*;

    /// An orderly end would look like an answer of the destination.
    #[tokio::test]
    async fn a_connection_that_may_not_lead_anywhere_is_reset() {
        let (told, _heard) = mpsc::channel(1);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let judge = Judge::new(Ipv4Addr::LOCALHOST, Vec::new(), Vec::new());
        let mut relaying = JoinSet::new();
        relaying.spawn(relay(listener, Arc::new(judge), Arc::new(Ledger::new(told))));
        let mut client = TcpStream::connect(address).await.unwrap();
        let read = client.read(&mut [0; 1]).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
