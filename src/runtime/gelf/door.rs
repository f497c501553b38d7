//! The socket, from before the container is made until it has ended.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::sink::Sink;
use super::{Callers, GelfEnd, http, tcp, udp};
use crate::component::GelfTransport;
use crate::runtime::{SpoolError, SpoolWriter};

/// Keboola's range; Graylog's own port, 12201, is left out.
const PORTS: RangeInclusive<u16> = 12_202..=13_202;
/// Datagrams wait there while the disk is busy; the kernel gives less where it must.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// The kernel may hold fewer (`net.core.somaxconn`).
const CALLERS_WAITING_MAX: u32 = 4_096;

#[derive(Debug, thiserror::Error)]
pub(crate) enum GelfError {
    #[error("cannot listen for the component's log messages at {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("no port from 12202 to 13202 is free at {host} to listen for the component's log messages")]
    NoPort { host: IpAddr },
}

/// A bound socket. What is sent to it waits there until somebody hears.
#[derive(Debug)]
pub(crate) struct GelfDoor {
    socket: Socket,
    address: SocketAddr,
    callers: Callers,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Http(TcpListener),
    Udp(UdpSocket),
}

impl GelfDoor {
    /// At a free port of `host`.
    pub(crate) async fn open(
        transport: GelfTransport,
        host: IpAddr,
        callers: Callers,
    ) -> Result<Self, GelfError> {
        let mut ports: Vec<u16> = PORTS.collect();
        fastrand::shuffle(&mut ports);
        for port in ports {
            match Self::open_at(transport, SocketAddr::new(host, port), callers).await {
                Err(GelfError::Bind { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {}
                opened => return opened,
            }
        }
        Err(GelfError::NoPort { host })
    }

    /// Where a container was told that it is, by somebody who is not there any more.
    pub(crate) async fn open_at(
        transport: GelfTransport,
        address: SocketAddr,
        callers: Callers,
    ) -> Result<Self, GelfError> {
        let failed = |source| GelfError::Bind { address, source };
        let socket = match transport {
            GelfTransport::Tcp => Socket::Tcp(listen(address).map_err(failed)?),
            GelfTransport::Http => Socket::Http(listen(address).map_err(failed)?),
            GelfTransport::Udp => {
                let socket = UdpSocket::bind(address).await.map_err(failed)?;
                SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES).map_err(failed)?;
                Socket::Udp(socket)
            }
        };
        let address = match &socket {
            Socket::Tcp(listener) | Socket::Http(listener) => listener.local_addr(),
            Socket::Udp(socket) => socket.local_addr(),
        };
        Ok(Self { socket, address: address.map_err(failed)?, callers })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hears into the spool until the container has ended, which the token tells, and nothing can come any more; or until
    /// `bytes_max` was passed by all that is in the spool.
    pub(crate) async fn hear(
        self,
        spool: SpoolWriter,
        bytes_max: u64,
        ended: CancellationToken,
    ) -> Result<GelfEnd, SpoolError> {
        let sink = Arc::new(Sink::new(spool, self.callers, self.address.ip(), bytes_max));
        let budget = Arc::new(Budget::new());
        let mut incomplete = 0;
        match &self.socket {
            Socket::Udp(socket) => incomplete = udp::hear(socket, &sink, &ended).await?,
            Socket::Tcp(listener) => {
                let hear = |stream| tcp::hear(stream, Arc::clone(&sink), Arc::clone(&budget), ended.clone());
                tcp::serve(listener, &sink, &ended, hear).await?;
            }
            Socket::Http(listener) => {
                let hear = |stream| http::hear(stream, Arc::clone(&sink), Arc::clone(&budget), ended.clone());
                tcp::serve(listener, &sink, &ended, hear).await?;
            }
        }
        Ok(sink.end(incomplete))
    }
}

/// Many may call at once: whom the kernel's queue has no place for believes to be heard and is not.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CALLERS_WAITING_MAX)
}
