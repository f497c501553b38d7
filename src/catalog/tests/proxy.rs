//! A way to the server that can be cut at the worst moment: the commit is told, and its answer never comes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Where the next commit is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The server never hears of it.
    Request,
    /// The server does it, and nobody hears of that.
    Answer,
}

pub(super) struct Proxy {
    pub(super) port: u16,
    next: Arc<Mutex<Option<Cut>>>,
    _connections: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(None));
        let mut connections = JoinSet::new();
        let plan = Arc::clone(&next);
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let plan = Arc::clone(&plan);
                open.spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await else { return };
                    pass(client, server, &plan).await;
                });
            }
        });
        Self { port, next, _connections: connections }
    }

    pub(super) fn cut_next(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }

    /// Whether a commit came by since the last [`Self::cut_next`].
    pub(super) fn has_cut(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

/// Until either side ends, or the commit that was waited for comes by.
async fn pass(client: TcpStream, server: TcpStream, plan: &Mutex<Option<Cut>>) {
    let (from_client, to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        cut = requests(from_client, to_server, plan) => {
            // The answer has come when the server has something to say: the commit is done.
            if let Some((Cut::Answer, _open)) = cut {
                from_server.readable().await.unwrap();
            }
        }
        () = answers(&mut from_server, to_client) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: &Mutex<Option<Cut>>,
) -> Option<(Cut, OwnedWriteHalf)> {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = from.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        let is_commit = buffer[..length].windows(7).any(|window| window == b"COMMIT\0");
        let cut = if is_commit { plan.lock().unwrap().take() } else { None };
        if cut != Some(Cut::Request) {
            to.write_all(&buffer[..length]).await.ok()?;
        }
        if let Some(cut) = cut {
            return Some((cut, to));
        }
    }
}

async fn answers(from: &mut OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
