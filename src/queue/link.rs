//! One connection to the broker: opened under a limit, watched, and ended for certain.

use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::options::BasicQosOptions;
use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Channel, ConnectionProperties, Event};
use tokio::time::timeout;

use super::{QueueError, QueueOptions};

/// From the first packet to an open connection.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// For anything that is asked of an open connection.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// For goodbyes, which nothing depends on.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// An open connection. Dropped, it breaks off; `close` says goodbye first.
#[derive(Debug)]
pub(super) struct Link {
    connection: lapin::Connection,
    heartbeat: Duration,
    _socket: Socket,
}

/// When a broker begins to take no messages.
pub(super) struct Blocks(BoxStream<'static, Event>);

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocks")
    }
}

impl Blocks {
    /// The next time that it does; never again on a connection that has ended.
    pub(super) async fn next(&mut self) {
        while let Some(event) = self.0.next().await {
            if matches!(event, Event::ConnectionBlocked(_)) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// A second handle to the connection's socket. The client library's own thread lives as long as its socket, and a
/// broker that has fallen silent does not end that; so this does, when it is dropped.
#[derive(Debug)]
struct Socket(Arc<OnceLock<TcpStream>>);

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(stream) = self.0.get() {
            // Fails where the socket has ended already, which is all we want.
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Link {
    /// Connects; `purpose` is what the broker's own tools show of this connection.
    pub(super) async fn open(options: &QueueOptions, purpose: &str) -> Result<Self, QueueError> {
        let address = Address::read(options).await?;
        let broker = address.broker.clone();
        let socket = Socket(Arc::default());
        let opening = open(address, purpose, Arc::downgrade(&socket.0));
        let connection = timeout(OPEN_LIMIT, opening)
            .await
            .map_err(|_elapsed| QueueError::Silent { doing: "connecting", limit: OPEN_LIMIT })?
            .map_err(|source| QueueError::Connect { broker, source })?;
        Ok(Self { connection, heartbeat: options.heartbeat, _socket: socket })
    }

    pub(super) async fn channel(&self) -> Result<Channel, QueueError> {
        answered("opening a channel", ANSWER_LIMIT, self.connection.create_channel()).await
    }

    /// Whether the broker has said that it takes no messages for now.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// The moments when the broker says so. To be asked for once: listeners share what is said.
    pub(super) fn blocks(&self) -> Blocks {
        Blocks(self.connection.events_listener().boxed())
    }

    /// Returns when the broker has said nothing for two heartbeats, or the connection is known to be broken. Asks for an
    /// answer from time to time, because heartbeats of the library were seen to flow on a dead connection, and its
    /// consumers to stay silent on one.
    pub(super) async fn watch(&self) -> QueueError {
        let channel = match self.channel().await {
            Ok(channel) => channel,
            Err(error) => return error,
        };
        loop {
            tokio::time::sleep(self.heartbeat).await;
            // It changes nothing on a channel without consumers, and needs neither a queue nor a right.
            let asking = channel.basic_qos(1, BasicQosOptions::default());
            if let Err(error) = answered("asking whether it lives", self.heartbeat, asking).await {
                return error;
            }
        }
    }

    /// Ends the connection politely, so that the broker need not find out by itself.
    pub(super) async fn close(self) {
        let goodbye = self.connection.close(200, "done".into());
        // Whatever comes of it: the socket ends with us.
        drop(timeout(CLOSE_LIMIT, goodbye).await);
    }
}

/// An answer of the broker under a limit.
pub(super) async fn answered<T>(
    doing: &'static str,
    limit: Duration,
    asking: impl Future<Output = lapin::Result<T>>,
) -> Result<T, QueueError> {
    timeout(limit, asking)
        .await
        .map_err(|_elapsed| QueueError::Silent { doing, limit })?
        .map_err(|source| QueueError::Broken { doing, source })
}

/// Where the broker is, and how to speak to it.
#[derive(Debug)]
struct Address {
    uri: AMQPUri,
    /// Host, port and vhost, for people.
    broker: String,
    certificate_authority: Option<String>,
}

impl Address {
    async fn read(options: &QueueOptions) -> Result<Self, QueueError> {
        let text = options.url.reveal();
        // The parser's own message may repeat the password.
        let mut uri: AMQPUri = text.parse().map_err(|_said: String| QueueError::Address)?;
        if let Some(host) = ipv6_host(text) {
            uri.authority.host = host.to_owned();
        }
        // `amqp://host/` would be the vhost without a name, which nobody has and nobody means.
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        // Whole seconds, and 0 would be none at all.
        uri.query.heartbeat = Some(u16::try_from(options.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1));
        let broker = format!("{}:{} (vhost {})", uri.authority.host, uri.authority.port, uri.vhost);
        let certificate_authority = match &options.ca_file {
            Some(path) => Some(
                tokio::fs::read_to_string(path)
                    .await
                    .map_err(|source| QueueError::CertificateAuthority { path: path.clone(), source })?,
            ),
            None => None,
        };
        Ok(Self { uri, broker, certificate_authority })
    }
}

/// The host of `amqp://…@[::1]:5672/…`, which the library's parser takes for none.
fn ipv6_host(url: &str) -> Option<&str> {
    let (_scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit('@').next()?.strip_prefix('[')?;
    host.split_once(']').map(|(host, _port)| host)
}

async fn open(
    address: Address,
    purpose: &str,
    socket: Weak<OnceLock<TcpStream>>,
) -> lapin::Result<lapin::Connection> {
    let name = format!("longshore {purpose} (pid {})", std::process::id());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let runtime = lapin::runtime::default_runtime()?;
    let tls = OwnedTLSConfig { identity: None, cert_chain: address.certificate_authority };
    // The library connects on a thread of its own, which nobody can cancel: hence the limit in there too.
    lapin::Connection::connector(
        address.uri,
        runtime,
        async move |uri, runtime| {
            let connecting = async {
                let host = runtime.to_socket_addrs((uri.authority.host.clone(), uri.authority.port));
                let stream = AsyncTcpStream::connect(&runtime, host).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    keep(&socket, plain.get_ref())?;
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, tls.as_ref()).await,
                }
            };
            timeout(OPEN_LIMIT, connecting).await.map_err(std::io::Error::from)?.map_err(lapin::Error::from)
        },
        properties,
    )
    .await
}

/// Keeps a second handle to the socket, unless whoever asked for the connection has gone meanwhile.
fn keep(socket: &Weak<OnceLock<TcpStream>>, stream: &impl AsFd) -> std::io::Result<()> {
    let socket = socket.upgrade().ok_or(std::io::ErrorKind::ConnectionAborted)?;
    let second = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
    // Taken already only if the library connected twice, which it was not told to.
    socket.set(second).map_err(|_second| std::io::ErrorKind::ConnectionAborted.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Hidden;

    async fn broker(url: &str) -> Result<String, String> {
        let options = QueueOptions {
            url: Hidden::new(url),
            ca_file: None,
            prefix: "longshore".into(),
            heartbeat: Duration::from_millis(10_900),
            publish_events: false,
        };
        Address::read(&options).await.map(|address| address.broker).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn addresses_mean_what_people_mean_by_them_and_their_mistakes_do_not_tell_the_password() {
        for (url, expected) in [
            ("amqp://me:secret@mq.example.com/%2f", "mq.example.com:5672 (vhost /)"),
            ("amqps://mq.example.com", "mq.example.com:5671 (vhost /)"),
            ("amqp://127.0.0.1:1234/", "127.0.0.1:1234 (vhost /)"),
            ("amqp://me:secret@[::1]:1234/jobs", "::1:1234 (vhost jobs)"),
        ] {
            assert_eq!(broker(url).await.unwrap(), expected, "{url}");
        }
        for url in ["http://me:secret@host", "amqp:secret", "secret", "amqp://me:secret@host:port"] {
            assert_eq!(
                broker(url).await.unwrap_err(),
                "the broker's address is not amqp://user:password@host:port/vhost or amqps://…"
            );
        }
    }
}
