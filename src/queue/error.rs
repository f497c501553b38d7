//! What can go wrong with the broker. No text of it holds the address, which holds a password.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lapin::types::ShortString;

/// Remedies are part of the texts, as a worker's log has nothing else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("the broker's address is not amqp://user:password@host:port/vhost or amqps://…")]
    Address,
    #[error("cannot read the broker's certificate authority {path}", path = .path.display())]
    CertificateAuthority { path: PathBuf, source: io::Error },
    #[error("cannot connect to the broker at {broker}: {}", connect_remedy(.source))]
    Connect { broker: String, source: lapin::Error },
    #[error("the broker did not answer within {seconds} s: {doing}", seconds = .limit.as_secs_f32())]
    Silent { doing: &'static str, limit: Duration },
    #[error("the broker takes no messages: it has too little memory or disk")]
    Blocked,
    #[error("the broker refused: {doing}")]
    Broken { doing: &'static str, source: lapin::Error },
    #[error(
        "the broker sent what cannot be read: most likely a message whose properties are not UTF-8; it is put away after some tries"
    )]
    Unreadable,
    #[error("the broker ended the consumer of queue {queue}: the queue was deleted or lost its node")]
    ConsumerCancelled { queue: String },
    #[error("{what} does not exist at the broker: `longshore queue setup` makes it")]
    Missing { what: String },
    #[error("no queue takes messages of exchange {exchange} for {key}: `longshore queue setup` makes it")]
    Unroutable { exchange: String, key: String },
    #[error("the queue for {key} takes no more messages: it is full, or a majority of its nodes is away")]
    NotTaken { key: String },
    #[error(
        "{what} exists with another {argument} ({difference}): let it run empty, delete it, and run `longshore queue setup` again"
    )]
    OtherArguments { what: String, argument: String, difference: String },
    #[error("{what} has {bytes} bytes, and a broker takes no more than 255")]
    TooLong { what: &'static str, bytes: usize },
    #[error("the session in which the message came is over: it will be delivered again")]
    SessionOver,
}

impl QueueError {
    /// What ended an exchange with the broker.
    pub(super) fn ended(doing: &'static str, source: lapin::Error) -> Self {
        if matches!(source.kind(), lapin::ErrorKind::ParsingError(_)) {
            return Self::Unreadable;
        }
        Self::Broken { doing, source }
    }

    /// Whether the connection itself is to blame, so that another one may do better.
    pub(super) fn is_of_connection(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Silent { .. }
            | Self::Broken { .. }
            | Self::Unreadable
            | Self::SessionOver => true,
            Self::Address
            | Self::CertificateAuthority { .. }
            | Self::Blocked
            | Self::ConsumerCancelled { .. }
            | Self::Missing { .. }
            | Self::Unroutable { .. }
            | Self::NotTaken { .. }
            | Self::OtherArguments { .. }
            | Self::TooLong { .. } => false,
        }
    }

    /// Whether this message alone is not taken, while others may be.
    pub(crate) fn is_of_the_message(&self) -> bool {
        match self {
            Self::NotTaken { .. } | Self::TooLong { .. } => true,
            Self::Address
            | Self::CertificateAuthority { .. }
            | Self::Connect { .. }
            | Self::Silent { .. }
            | Self::Blocked
            | Self::Broken { .. }
            | Self::Unreadable
            | Self::ConsumerCancelled { .. }
            | Self::Missing { .. }
            | Self::Unroutable { .. }
            | Self::OtherArguments { .. }
            | Self::SessionOver => false,
        }
    }
}

/// A text for a property or a name, which the protocol limits.
pub(super) fn short(what: &'static str, text: &str) -> Result<ShortString, QueueError> {
    ShortString::try_new(text).map_err(|_too_long| QueueError::TooLong { what, bytes: text.len() })
}

/// The broker's own words, where it refused something.
pub(super) fn refusal(error: &lapin::Error) -> Option<(u16, &str)> {
    let lapin::ErrorKind::ProtocolError(said) = error.kind() else {
        return None;
    };
    Some((said.get_id(), said.get_message().as_str()))
}

/// What to do about a connection that could not be made.
fn connect_remedy(error: &lapin::Error) -> &'static str {
    if let lapin::ErrorKind::IOError(io) = error.kind()
        && io.kind() == io::ErrorKind::ConnectionRefused
    {
        return "no broker answers there, see queue.url";
    }
    match refusal(error) {
        Some((ACCESS_REFUSED, _)) => "it refuses this user or password, see queue.url",
        Some((NOT_ALLOWED, _)) => "it has no such virtual host, or not for this user, see queue.url",
        Some(_) | None => "see queue.url",
    }
}

/// The protocol's reply codes that we tell apart.
const ACCESS_REFUSED: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;
