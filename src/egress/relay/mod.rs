//! Stands between one container and the world: connections come redirected and are judged by where they were meant to
//! go, questions for names are answered only where the list has the name.
//!
//! Lives as long as the value; dropping it ends every connection.

mod answer;
mod judge;
mod ledger;
mod pipe;
mod question;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::contacts::{Contacts, Refusal};
use crate::component::Destination;
use judge::Judge;
use ledger::Ledger;

/// Refusals that are told one by one; the record has more.
const TOLD_MAX: usize = 20;
/// A port that is free for datagrams may be taken for streams.
const BIND_TRIES: usize = 16;

/// A relay at work.
#[derive(Debug)]
pub(super) struct Relay {
    /// Ends with this value.
    tasks: JoinSet<()>,
    /// Where connections are taken.
    pub(super) port: u16,
    pub(super) dns_port: u16,
    ledger: Arc<Ledger>,
    refusals: mpsc::Receiver<Refusal>,
}

impl Relay {
    /// Listens on the gateway of a container's network.
    pub(super) async fn begin(
        gateway: Ipv4Addr,
        list: Vec<Destination>,
        hosts: Vec<(String, Ipv4Addr)>,
    ) -> io::Result<Self> {
        let (told, refusals) = mpsc::channel(TOLD_MAX);
        let ledger = Arc::new(Ledger::new(told));
        let judge = Arc::new(Judge::new(gateway, list, hosts));
        let connections = TcpListener::bind(SocketAddrV4::new(gateway, 0)).await?;
        let (datagrams, streams) = bind_both(gateway).await?;
        let (port, dns_port) = (connections.local_addr()?.port(), streams.local_addr()?.port());
        let mut tasks = JoinSet::new();
        tasks.spawn(pipe::relay(connections, Arc::clone(&judge), Arc::clone(&ledger)));
        tasks.spawn(question::answer_datagrams(datagrams, Arc::clone(&judge), Arc::clone(&ledger)));
        tasks.spawn(question::answer_streams(streams, judge, Arc::clone(&ledger)));
        Ok(Self { tasks, port, dns_port, ledger, refusals })
    }

    /// The next destination that was refused for the first time; `None` when no more are told.
    pub(super) async fn next_refusal(&mut self) -> Option<Refusal> {
        self.refusals.recv().await
    }

    /// Everything so far. Connections that are still open count with what they have carried.
    pub(super) fn contacts(&self) -> Contacts {
        self.ledger.contacts()
    }

    /// Ends every connection.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Names are asked for by datagrams and by streams, on one port.
async fn bind_both(gateway: Ipv4Addr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 1;
    loop {
        let streams = TcpListener::bind(SocketAddrV4::new(gateway, 0)).await?;
        match UdpSocket::bind(streams.local_addr()?).await {
            Ok(datagrams) => return Ok((datagrams, streams)),
            Err(error) if tries == BIND_TRIES => return Err(error),
            Err(_taken) => tries += 1,
        }
    }
}
