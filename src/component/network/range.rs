//! A range of IPv4 addresses, as `10.0.0.0/8` or a single address.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Addresses with the same first `prefix` bits. The bits after them are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    first: Ipv4Addr,
    prefix: u8,
}

/// Why a text is not a range of addresses that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RangeError {
    #[error("not an IPv4 address, or a range such as 10.1.0.0/16")]
    Malformed,
    #[error("IPv6 addresses cannot be reached: components have IPv4 only")]
    SixthVersion,
    #[error("the prefix length must be a number from 0 to 32")]
    Prefix,
    #[error("the range begins at {first}/{prefix}: bits after the prefix are set")]
    BitsAfterPrefix { first: Ipv4Addr, prefix: u8 },
}

impl Range {
    /// The range of this prefix length around an address.
    pub(crate) const fn around(address: Ipv4Addr, prefix: u8) -> Self {
        Self { first: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    pub(crate) const fn single(address: Ipv4Addr) -> Self {
        Self { first: address, prefix: 32 }
    }

    pub(crate) fn first(self) -> Ipv4Addr {
        self.first
    }

    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    pub(crate) fn is_single(self) -> bool {
        self.prefix == 32
    }

    pub(crate) fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.first.to_bits()
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.prefix >= other.prefix && other.contains(self.first)
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.is_within(other) || other.is_within(self)
    }
}

const fn mask(prefix: u8) -> u32 {
    match prefix {
        0 => 0,
        1..=32 => u32::MAX << (32 - prefix),
        33.. => u32::MAX,
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: Ipv4Addr = match address.parse() {
            Ok(address) => address,
            Err(_) if address.parse::<std::net::Ipv6Addr>().is_ok() => return Err(RangeError::SixthVersion),
            Err(_) => return Err(RangeError::Malformed),
        };
        let Some(prefix) = prefix else {
            return Ok(Self::single(address));
        };
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 =
            prefix.parse().ok().filter(|prefix| is_number && *prefix <= 32).ok_or(RangeError::Prefix)?;
        let range = Self::around(address, prefix);
        if range.first == address {
            Ok(range)
        } else {
            Err(RangeError::BitsAfterPrefix { first: range.first, prefix })
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { self.first.fmt(f) } else { write!(f, "{}/{}", self.first, self.prefix) }
    }
}
