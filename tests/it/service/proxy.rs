//! A network that can be cut without a word, as a firewall or a pulled cable does: bytes vanish, connections stay open.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Forwards to one server. Odd generations are those in which the network is cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    generation: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let generation = Arc::new(AtomicU64::new(0));
        let (server, current) = (server.to_owned(), Arc::clone(&generation));
        // The threads end with the process of the test.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                forward(client, &server, &current);
            }
        });
        Self { address, generation }
    }

    /// From now on nothing arrives any more, in either direction, and new connections meet silence.
    pub(crate) fn cut(&self) {
        assert_eq!(self.generation.fetch_add(1, Ordering::SeqCst) % 2, 0);
    }

    /// New connections work again; those from before never will.
    pub(crate) fn mend(&self) {
        assert_eq!(self.generation.fetch_add(1, Ordering::SeqCst) % 2, 1);
    }
}

fn forward(client: TcpStream, server: &str, current: &Arc<AtomicU64>) {
    let born = current.load(Ordering::SeqCst);
    if born % 2 == 1 {
        // Held open and never read.
        std::thread::spawn(move || {
            loop {
                std::thread::park();
                drop(client.peer_addr());
            }
        });
        return;
    }
    let Ok(server) = TcpStream::connect(server) else {
        return;
    };
    for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
        let current = Arc::clone(current);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if current.load(Ordering::SeqCst) == born && to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            // The end of a connection is lost with the rest.
            if current.load(Ordering::SeqCst) == born {
                to.shutdown(Shutdown::Both).ok();
            }
        });
    }
}
