//! What a container may reach. Enforced outside the container: by netfilter tables of our own, and for a list of
//! allowed destinations by a relay that stands between the container and the world.
//!
//! A drop in our chains is final, whatever the engine's own chains accept. Where netfilter cannot be had this room says
//! so; it never pretends.

mod contacts;
mod enclosure;
mod error;
mod guard;
mod options;
mod relay;
mod resolvers;
mod subnet;
mod sweep;

pub(crate) use contacts::{Contact, Contacts, Refusal};
pub(crate) use enclosure::{Enclosure, Rules, Wanted, prepare, resume};
pub(crate) use error::EgressError;
pub(crate) use guard::{HostPort, Transport};
pub(crate) use options::{EgressOptions, GuardWish};
pub(crate) use subnet::PREFIX as SUBNET_PREFIX;
pub(crate) use sweep::{FoundNetwork, find_networks, forget_rules, remove_network};
