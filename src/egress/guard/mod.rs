//! Netfilter as we use it: tables of our own, loaded in one transaction each time, shared by all workers of a host.

mod nft;
mod rules;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::path::Path;

use super::error::NoGuard;
use super::options::{EgressOptions, GuardWish};
use super::resolvers::resolvers;
use crate::component::Range;
use crate::engine::{EngineFacts, IdMapping};

/// The device of the bridge that plain `network: bridge` containers share.
pub(super) const SHARED_INTERFACE: &str = "longshore0";

/// How the devices of networks of single jobs begin.
pub(super) const OWN_INTERFACE: &str = "lsjob";

/// Whether the kernel shows us what passes from port to port of one bridge.
const BRIDGE_FILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// A port of the host that a container may reach, on the gateway of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub transport: Transport,
    pub port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// What may leave a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Policy {
    /// Nothing.
    Closed,
    /// Everything that is public, and these.
    Open { private: Vec<Range> },
    /// What the relay lets through: every TCP connection goes to its port, every question for a name to the other.
    Relayed { relay: u16, dns: u16 },
}

/// The rules of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) interface: String,
    pub(super) gateway: Ipv4Addr,
    pub(super) policy: Policy,
    /// Open in every case.
    pub(super) ports: Vec<HostPort>,
}

/// The proof that our tables are loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard(());

impl Guard {
    /// Loads what all networks share, also where it is there: somebody may have flushed it, or have moved the resolvers.
    pub(super) async fn raise(facts: &EngineFacts, options: &EgressOptions) -> Result<Self, NoGuard> {
        if options.guard == GuardWish::Off {
            return Err(NoGuard::Off);
        }
        if !facts.local {
            return Err(NoGuard::Remote);
        }
        if facts.ids == IdMapping::Rootless {
            return Err(NoGuard::Rootless);
        }
        nft::load(&rules::shared(&resolvers(options).await)).await?;
        Ok(Self(()))
    }

    /// Whether a bridge is one whose traffic we see.
    pub(super) fn check_bridge(interface: &str) -> Result<(), NoGuard> {
        if !has_device(interface) {
            return Err(NoGuard::Elsewhere { interface: interface.to_owned() });
        }
        // Without the file bridges are not filtered by anybody yet; the engine loads the module when it makes one.
        match std::fs::read_to_string(BRIDGE_FILTER) {
            Ok(text) if text.trim() == "0" => Err(NoGuard::BridgeUnfiltered),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether the rules that a network stands on are loaded: those that all share, and its own fence where it has one.
    pub(super) async fn holds(self, fence: Option<&Fence>) -> Result<bool, NoGuard> {
        let question = rules::question(fence);
        let filled = nft::filled(&question.script).await?;
        Ok(question.chains.iter().all(|chain| filled.contains(chain)))
    }

    /// Loads everything that a network stands on again, in one step.
    pub(super) async fn restore(self, fence: Option<&Fence>, options: &EgressOptions) -> Result<(), NoGuard> {
        let shared = rules::shared(&resolvers(options).await);
        nft::load(&(shared + &fence.map(rules::fence).unwrap_or_default())).await
    }

    /// Puts a fence up, or another one in its place, in one step.
    pub(super) async fn enclose(self, fence: &Fence) -> Result<(), NoGuard> {
        nft::load(&rules::fence(fence)).await
    }
}

/// Takes a fence away; it may be gone already.
pub(super) async fn release(interface: &str) -> Result<(), NoGuard> {
    nft::load(&rules::release(interface)).await
}

/// Takes away every fence whose bridge is gone: a fence is put up only around a bridge that is there.
pub(super) async fn release_gone() -> Result<usize, NoGuard> {
    let mut released = 0;
    for interface in nft::fenced().await? {
        if interface != SHARED_INTERFACE && !has_device(&interface) {
            release(&interface).await?;
            released += 1;
        }
    }
    Ok(released)
}

fn has_device(interface: &str) -> bool {
    Path::new("/sys/class/net").join(interface).exists()
}
