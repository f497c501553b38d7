//! A line between a worker and one of its servers that can be broken: without a word, as a firewall or a pulled cable
//! does it, or as a server that goes down.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Forwards to one server.
pub(crate) struct Proxy {
    /// `host:port`, or the path of a socket.
    pub(crate) address: String,
    wire: Arc<Mutex<Wire>>,
}

/// What becomes of bytes and of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Bytes vanish, connections stay open.
    Silent,
    /// New connections are closed at once.
    Down,
}

struct Wire {
    state: State,
    /// Counts the breaks: what was connected before one is never forwarded again.
    breaks: u64,
    connections: Vec<Box<dyn Connection>>,
}

/// One end of what is forwarded.
trait Connection: Read + Write + Send {
    fn again(&self) -> Box<dyn Connection>;
    fn end(&self, how: Shutdown) -> Result<()>;
}

impl Connection for TcpStream {
    fn again(&self) -> Box<dyn Connection> {
        Box::new(self.try_clone().unwrap())
    }

    fn end(&self, how: Shutdown) -> Result<()> {
        self.shutdown(how)
    }
}

impl Connection for UnixStream {
    fn again(&self) -> Box<dyn Connection> {
        Box::new(self.try_clone().unwrap())
    }

    fn end(&self, how: Shutdown) -> Result<()> {
        self.shutdown(how)
    }
}

impl Proxy {
    /// Before a server at `host:port`, or at the path of a socket.
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self::new(listener.local_addr().unwrap().to_string());
        let (server, shared) = (server.to_owned(), Arc::clone(&proxy.wire));
        // The threads end with the process of the test.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connect(Box::new(client), &server, &shared);
            }
        });
        proxy
    }

    /// The same, listening at a socket.
    pub(crate) fn at(socket: &Path, server: &str) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let proxy = Self::new(socket.to_str().unwrap().to_owned());
        let (server, shared) = (server.to_owned(), Arc::clone(&proxy.wire));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connect(Box::new(client), &server, &shared);
            }
        });
        proxy
    }

    fn new(address: String) -> Self {
        let wire = Wire { state: State::Whole, breaks: 0, connections: Vec::new() };
        Self { address, wire: Arc::new(Mutex::new(wire)) }
    }

    /// From now on nothing arrives any more, in either direction.
    pub(crate) fn cut(&self) {
        let mut wire = self.wire.lock().unwrap();
        wire.state = State::Silent;
        wire.breaks += 1;
    }

    /// Closes what is connected, and whatever connects.
    pub(crate) fn go_down(&self) {
        let mut wire = self.wire.lock().unwrap();
        wire.state = State::Down;
        wire.breaks += 1;
        for connection in wire.connections.drain(..) {
            // It may have ended before.
            connection.end(Shutdown::Both).ok();
        }
    }

    /// Closes whatever connects; what is connected goes on, as at a server that shuts down in order.
    pub(crate) fn take_nobody(&self) {
        self.wire.lock().unwrap().state = State::Down;
    }

    /// New connections work again.
    pub(crate) fn mend(&self) {
        self.wire.lock().unwrap().state = State::Whole;
    }
}

fn connect(client: Box<dyn Connection>, server: &str, shared: &Arc<Mutex<Wire>>) {
    let mut wire = shared.lock().unwrap();
    match wire.state {
        State::Whole => {}
        // Held open, and never read.
        State::Silent => return wire.connections.push(client),
        State::Down => return,
    }
    let server: Box<dyn Connection> = if server.starts_with('/') {
        let Ok(server) = UnixStream::connect(server) else { return };
        Box::new(server)
    } else {
        let Ok(server) = TcpStream::connect(server) else { return };
        Box::new(server)
    };
    let (client_again, server_again) = (client.again(), server.again());
    wire.connections.extend([client.again(), server.again()]);
    for (from, to) in [(client, server), (server_again, client_again)] {
        let (shared, born) = (Arc::clone(shared), wire.breaks);
        std::thread::spawn(move || forward(from, to, &shared, born));
    }
}

fn forward(mut from: Box<dyn Connection>, mut to: Box<dyn Connection>, shared: &Mutex<Wire>, born: u64) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if shared.lock().unwrap().breaks == born && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // After a break the end of a connection is lost with the rest.
    if shared.lock().unwrap().breaks == born {
        to.end(Shutdown::Both).ok();
    }
}
