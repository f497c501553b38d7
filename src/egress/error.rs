//! Why a container does not get the network that its spec asks for.

use std::io;
use std::net::Ipv4Addr;

use crate::component::Range;
use crate::engine::EngineError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum EgressError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{need}, which cannot be enforced here: {why}")]
    Unguarded { need: Need, why: NoGuard },
    #[error("no subnet for the job's network is free in {range}; set network.subnets to another range")]
    NoSubnet { range: Range },
    #[error("the network {name} has lost its address")]
    NoGateway { name: String },
    #[error("the network {name} of this job is gone")]
    NetworkGone { name: String },
    #[error("cannot listen on {gateway}, the host's address on the job's network")]
    Listen { gateway: Ipv4Addr, source: io::Error },
    /// The rules of the guard were there, and now they cannot be changed.
    #[error(transparent)]
    Guard(NoGuard),
}

/// What needs the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    List,
    Private,
    Settings,
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::List => "the component lists what it may connect to",
            Self::Private => "the component lists private ranges that it may reach",
            Self::Settings => "settings say `network.guard: required`",
        })
    }
}

/// Why netfilter does not guard our containers, each with its remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoGuard {
    #[error("settings say `network.guard: off`")]
    Off,
    #[error("the engine is on another machine; run the worker beside it")]
    Remote,
    #[error("the engine runs without root and keeps its bridges to itself; use one that runs as root")]
    Rootless,
    #[error("the program nft is missing; install the package nftables")]
    NoTool,
    #[error("nft could not be run; look whether /usr/sbin/nft may be executed")]
    ToolFailed { source: io::Error },
    #[error("nft did not answer in time")]
    ToolSilent,
    #[error(
        "nft may not change the firewall ({said}); run as root, or with CAP_NET_ADMIN in the host's network namespace"
    )]
    Refused { said: String },
    #[error(
        "the bridge {interface} is not in this process's network namespace; run the worker in the host's \
         (`network_mode: host`)"
    )]
    Elsewhere { interface: String },
    #[error(
        "net.bridge.bridge-nf-call-iptables is 0, so containers on one bridge would see each other; set it to 1"
    )]
    BridgeUnfiltered,
}
