//! One entry of an allow list: `db.example.com:5432`, `*.example.com:443`, `10.0.0.0/8:443`.

use std::fmt;
use std::str::FromStr;

use super::Range;
use super::range::RangeError;

/// DNS allows no longer name and no longer label (RFC 1035, 2.3.4).
const NAME_LENGTH_MAX: usize = 253;
const LABEL_LENGTH_MAX: usize = 63;

/// A host and a TCP port that a component may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub host: Host,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Addresses(Range),
    Name(NamePattern),
}

/// A domain name in lower case without a final dot, or every name below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePattern {
    domain: String,
    is_wildcard: bool,
}

/// Why a text is not a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DestinationError {
    #[error("a port is missing: expected host:port, such as db.example.com:5432")]
    NoPort,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error("not a host name: letters, digits and dashes between dots, at most 253 characters in all")]
    Name,
    #[error("a * stands for whole labels at the beginning, with at least two labels after it: *.example.com")]
    Wildcard,
    #[error("localhost is the container itself, and the host's own loopback can never be reached")]
    Loopback,
}

impl NamePattern {
    /// Whether a name, in whatever case, is meant. A wildcard does not mean the domain itself.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if !self.is_wildcard {
            return name == self.domain;
        }
        name.strip_suffix(&self.domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    }
}

impl FromStr for NamePattern {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (domain, is_wildcard) = match text.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (text, false),
        };
        if domain.contains('*') || (is_wildcard && !domain.contains('.')) {
            return Err(DestinationError::Wildcard);
        }
        let is_label = |label: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let has_length = (1..=LABEL_LENGTH_MAX).contains(&label.len());
            has_length && label.chars().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
        };
        // All digits in the last label would be an address that is written wrongly.
        let is_number =
            domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if domain.len() > NAME_LENGTH_MAX || !domain.split('.').all(is_label) || is_number {
            return Err(DestinationError::Name);
        }
        let domain = domain.to_ascii_lowercase();
        if domain == "localhost" || domain.ends_with(".localhost") {
            return Err(DestinationError::Loopback);
        }
        Ok(Self { domain, is_wildcard })
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        if text.starts_with('[') || text.parse::<std::net::Ipv6Addr>().is_ok() {
            return Err(RangeError::SixthVersion.into());
        }
        let (host, port) = text.rsplit_once(':').ok_or(DestinationError::NoPort)?;
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port > 0).ok_or(DestinationError::Port)?;
        let is_address = host.contains('/') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let host = if is_address { Host::Addresses(host.parse()?) } else { Host::Name(host.parse()?) };
        Ok(Self { host, port })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_wildcard { "*." } else { "" }, self.domain)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Addresses(range) => write!(f, "{range}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}
