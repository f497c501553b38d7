//! GELF by UDP: datagrams, whole or in chunks.

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::chunks::{Chunks, Taken};
use super::inflate::inflate;
use super::sink::Sink;
use crate::runtime::SpoolError;

/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// What a container sent before its end lies in our queue by then; a pause in it means that this was all.
const QUIET: Duration = Duration::from_millis(100);
/// For a queue that does not run dry.
const GRACE: Duration = Duration::from_secs(3);

/// Hears until the container has ended and its datagrams are read. Gives the number of messages that were never whole.
pub(super) async fn hear(
    socket: &UdpSocket,
    sink: &Sink,
    ended: &CancellationToken,
) -> Result<u64, SpoolError> {
    let mut chunks = Chunks::default();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let received = tokio::select! {
            biased;
            () = sink.full.cancelled() => return Ok(chunks.finish()),
            () = ended.cancelled() => break,
            received = socket.recv_from(&mut buffer) => received,
        };
        take(received, &buffer, &mut chunks, sink).await?;
    }
    let give_up_at = Instant::now() + GRACE;
    while let Ok(Ok(received)) = timeout_at(give_up_at, timeout(QUIET, socket.recv_from(&mut buffer))).await {
        take(received, &buffer, &mut chunks, sink).await?;
    }
    Ok(chunks.finish())
}

async fn take(
    received: io::Result<(usize, std::net::SocketAddr)>,
    buffer: &[u8],
    chunks: &mut Chunks,
    sink: &Sink,
) -> Result<(), SpoolError> {
    // Errors of UDP tell of datagrams that we sent, and we send none.
    let Ok((count, caller)) = received else { return Ok(()) };
    if !sink.admits(caller.ip()) {
        return Ok(());
    }
    match chunks.take(Instant::now(), buffer.get(..count).unwrap_or_default()) {
        Taken::Whole(message) => sink.take(inflate(message).await).await,
        Taken::Part => Ok(()),
    }
}
