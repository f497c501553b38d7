//! A network between a worker and one of its servers that can be broken: without a word, as a firewall or a pulled cable
//! does it, or as a server that goes down.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Forwards to one server.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wire: Arc<Mutex<Wire>>,
}

/// What becomes of bytes and of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Bytes vanish, connections stay open.
    Silent,
    /// Connections are closed at once.
    Down,
}

struct Wire {
    state: State,
    /// Counts the breaks: what was connected before one is never forwarded again.
    breaks: u64,
    connections: Vec<TcpStream>,
}

impl Proxy {
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Mutex::new(Wire { state: State::Whole, breaks: 0, connections: Vec::new() }));
        let (server, shared) = (server.to_owned(), Arc::clone(&wire));
        // The threads end with the process of the test.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connect(client, &server, &shared);
            }
        });
        Self { address, wire }
    }

    /// From now on nothing arrives any more, in either direction.
    pub(crate) fn cut(&self) {
        self.become_broken(State::Silent);
    }

    /// Closes what is connected, and whatever connects.
    pub(crate) fn go_down(&self) {
        self.become_broken(State::Down);
    }

    /// New connections work again.
    pub(crate) fn mend(&self) {
        self.wire.lock().unwrap().state = State::Whole;
    }

    fn become_broken(&self, state: State) {
        let mut wire = self.wire.lock().unwrap();
        wire.state = state;
        wire.breaks += 1;
        if state == State::Down {
            for connection in wire.connections.drain(..) {
                // It may have ended before.
                connection.shutdown(Shutdown::Both).ok();
            }
        }
    }
}

fn connect(client: TcpStream, server: &str, shared: &Arc<Mutex<Wire>>) {
    let mut wire = shared.lock().unwrap();
    match wire.state {
        State::Whole => {}
        // Held open, and never read.
        State::Silent => return wire.connections.push(client),
        State::Down => return,
    }
    let Ok(server) = TcpStream::connect(server) else { return };
    let (client_again, server_again) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    wire.connections.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    for (from, to) in [(client, server), (server_again, client_again)] {
        let (shared, born) = (Arc::clone(shared), wire.breaks);
        std::thread::spawn(move || forward(from, to, &shared, born));
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, shared: &Mutex<Wire>, born: u64) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if shared.lock().unwrap().breaks == born && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // After a break the end of a connection is lost with the rest.
    if shared.lock().unwrap().breaks == born {
        to.shutdown(Shutdown::Both).ok();
    }
}
