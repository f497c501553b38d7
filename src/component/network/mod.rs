//! What a spec says its component may reach: nothing, the open world without private ranges, or a list.
//! Never asks a resolver and never looks at the machine.

mod destination;
mod range;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use destination::{Destination, Host, NamePattern};
pub(crate) use range::Range;
pub(super) use read::read_network;

/// What a container can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    None,
    /// Everything but the host, other containers and private ranges; of those, what is listed.
    Bridge {
        private: Vec<Range>,
    },
    /// What is listed and nothing else; never empty.
    Listed(Vec<Destination>),
}

impl Network {
    /// As specs and result documents say it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bridge { .. } => "bridge",
            Self::Listed(_) => "allow",
        }
    }
}
