//! The network around one container: prepared before it is made, watched while it runs, removed after it.

use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};

use super::contacts::{Contacts, Refusal};
use super::error::{EgressError, Need, NoGuard};
use super::guard::{self, Fence, Guard, HostPort, OWN_INTERFACE, Policy, SHARED_INTERFACE};
use super::options::{EgressOptions, GuardWish};
use super::relay::Relay;
use super::subnet;
use crate::component::Network;
use crate::engine::{ContainerNetwork, Engine, EngineError, FoundNetwork, NewNetwork, Subnet};

/// Plain `bridge` containers share this one. Networks of earlier versions were named `longshore` and had no device name.
const SHARED_NAME: &str = "longshore-open";

/// What a container is to have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub network: &'a Network,
    /// The container's name, which its own network bears too.
    pub name: &'a str,
    pub labels: &'a [(String, String)],
    /// The runner listens for the container, so it needs a network of its own, even where it may reach nothing else.
    pub has_listener: bool,
}

/// A container's network. One of its own stays on the engine until [`Enclosure::remove`].
#[derive(Debug)]
#[must_use = "a network of a job's own stays on the engine until it is removed"]
pub(crate) struct Enclosure {
    attachment: ContainerNetwork,
    own: Option<Own>,
    guard: Option<Guard>,
    notice: Option<String>,
    relay: Option<Relay>,
}

/// How a look after the rules ended.
#[derive(Debug)]
pub(crate) enum Rules {
    /// They are there, as far as anybody can tell, or there never were any.
    Held,
    /// They were gone.
    Restored,
    /// They are gone and cannot be loaded.
    Gone(NoGuard),
}

/// A network that no other container is on.
#[derive(Debug)]
struct Own {
    id: String,
    fence: Fence,
}

/// Makes the network that a container is to be made on.
pub(crate) async fn prepare(
    engine: &Engine,
    options: &EgressOptions,
    wanted: Wanted<'_>,
) -> Result<Enclosure, EgressError> {
    let Some(policy) = policy(wanted) else {
        return Ok(Enclosure::disabled());
    };
    let raised = raise(engine, options, wanted.network).await?;
    if is_shared(wanted) {
        let found = ensure_shared(engine).await?;
        let raised = check_bridge(raised, SHARED_INTERFACE, needs_guard(wanted.network, options))?;
        return Ok(Enclosure::of(ContainerNetwork::Id(found.id), None, raised, wanted));
    }
    let found = make_own(engine, options, wanted).await?;
    match enclose(found, policy, raised, options, wanted).await {
        Ok(enclosure) => Ok(enclosure),
        Err((id, error)) => {
            if let Err(error) = engine.remove_network(&id).await {
                tracing::warn!(%error, "a network may have been left behind; the sweep will find it");
            }
            Err(error)
        }
    }
}

/// Takes over the network of a container that an earlier worker started.
pub(crate) async fn resume(
    engine: &Engine,
    options: &EgressOptions,
    wanted: Wanted<'_>,
) -> Result<Enclosure, EgressError> {
    let Some(policy) = policy(wanted) else {
        return Ok(Enclosure::disabled());
    };
    let raised = raise(engine, options, wanted.network).await?;
    if is_shared(wanted) {
        let raised = check_bridge(raised, SHARED_INTERFACE, needs_guard(wanted.network, options))?;
        return Ok(Enclosure::of(ContainerNetwork::Disabled, None, raised, wanted));
    }
    let gone = || EgressError::NetworkGone { name: wanted.name.to_owned() };
    let found = engine.network_named(wanted.name).await?.ok_or_else(gone)?;
    enclose(found, policy, raised, options, wanted).await.map_err(|(_id, error)| error)
}

/// Whether the guard is up; an error where it must be and cannot.
async fn raise(
    engine: &Engine,
    options: &EgressOptions,
    network: &Network,
) -> Result<Result<Guard, NoGuard>, EgressError> {
    let raised = Guard::raise(engine.facts().await?, options).await;
    insist(raised, needs_guard(network, options))
}

/// The guard, or why there is none where nothing needs it.
fn insist(raised: Result<Guard, NoGuard>, need: Option<Need>) -> Result<Result<Guard, NoGuard>, EgressError> {
    match (raised, need) {
        (Err(why), Some(need)) => Err(EgressError::Unguarded { need, why }),
        (raised, _) => Ok(raised),
    }
}

/// What a list says must be held; that nothing is reachable holds without a guard too, except for the host itself.
fn needs_guard(network: &Network, options: &EgressOptions) -> Option<Need> {
    match network {
        Network::Listed(_) => Some(Need::List),
        Network::Bridge { private } if !private.is_empty() => Some(Need::Private),
        Network::Bridge { .. } | Network::None => {
            (options.guard == GuardWish::Required).then_some(Need::Settings)
        }
    }
}

/// The guard, where it sees what passes over a bridge that is there.
fn check_bridge(
    raised: Result<Guard, NoGuard>,
    interface: &str,
    need: Option<Need>,
) -> Result<Result<Guard, NoGuard>, EgressError> {
    insist(raised.and_then(|guard| Guard::check_bridge(interface).map(|()| guard)), need)
}

fn is_shared(wanted: Wanted<'_>) -> bool {
    !wanted.has_listener && matches!(wanted.network, Network::Bridge { private } if private.is_empty())
}

/// `None`: no network at all.
fn policy(wanted: Wanted<'_>) -> Option<Policy> {
    match wanted.network {
        Network::None if !wanted.has_listener => None,
        Network::None | Network::Listed(_) => Some(Policy::Closed),
        Network::Bridge { private } => Some(Policy::Open { private: private.clone() }),
    }
}

async fn ensure_shared(engine: &Engine) -> Result<FoundNetwork, EngineError> {
    let labels = [("longshore.network".to_owned(), SHARED_NAME.to_owned())];
    let new = NewNetwork {
        name: SHARED_NAME,
        interface: SHARED_INTERFACE,
        labels: &labels,
        subnet: None,
        masquerade: true,
        internal: false,
    };
    let found = engine.ensure_shared_network(new).await?;
    if found.interface.as_deref() == Some(SHARED_INTERFACE) {
        Ok(found)
    } else {
        Err(EngineError::ForeignNetwork { name: SHARED_NAME.to_owned() })
    }
}

/// Makes a network in a subnet that nobody has.
async fn make_own(
    engine: &Engine,
    options: &EgressOptions,
    wanted: Wanted<'_>,
) -> Result<FoundNetwork, EgressError> {
    let interface = interface(wanted.name);
    let is_open = matches!(wanted.network, Network::Bridge { .. });
    for range in subnet::candidates(options.subnets, &subnet::routes().await) {
        let gateway = subnet::gateway(range);
        let new = NewNetwork {
            name: wanted.name,
            interface: &interface,
            labels: wanted.labels,
            subnet: Some(Subnet { first: range.first(), prefix: range.prefix(), gateway }),
            // Where rules are lost, what only the relay may let out gets no answer.
            masquerade: is_open,
            // A relayed container needs a way to send to; what may only speak to the runner does not.
            internal: *wanted.network == Network::None,
        };
        match engine.create_network(new).await {
            Ok(id) => {
                let (name, labels) = (wanted.name.to_owned(), wanted.labels.to_vec());
                return Ok(FoundNetwork {
                    id,
                    name,
                    interface: Some(interface),
                    gateway: Some(gateway),
                    labels,
                });
            }
            Err(EngineError::Refused { message, .. }) if message.contains("overlap") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(EgressError::NoSubnet { range: options.subnets })
}

/// Puts the fence around a network that is there. An error brings the network's id along.
async fn enclose(
    found: FoundNetwork,
    policy: Policy,
    raised: Result<Guard, NoGuard>,
    options: &EgressOptions,
    wanted: Wanted<'_>,
) -> Result<Enclosure, (String, EgressError)> {
    let FoundNetwork { id, name, gateway, .. } = found;
    let Some(gateway) = gateway else {
        return Err((id, EgressError::NoGateway { name }));
    };
    let mut fence = Fence { interface: interface(&name), gateway, policy, ports: Vec::new() };
    // Before the relay, which cannot listen where the bridge is not, and could not say what to do about it.
    let raised = match check_bridge(raised, &fence.interface, needs_guard(wanted.network, options)) {
        Ok(raised) => raised,
        Err(error) => return Err((id, error)),
    };
    let relay = match wanted.network {
        Network::None | Network::Bridge { .. } => None,
        Network::Listed(list) => match Relay::begin(gateway, list.clone(), options.hosts.clone()).await {
            Ok(relay) => Some(relay),
            Err(source) => return Err((id, EgressError::Listen { gateway, source })),
        },
    };
    if let Some(relay) = &relay {
        fence.policy = Policy::Relayed { relay: relay.port, dns: relay.dns_port };
    }
    if let Ok(guard) = &raised
        && let Err(why) = guard.enclose(&fence).await
    {
        return Err((id, EgressError::Guard(why)));
    }
    let attachment = match wanted.network {
        Network::Listed(_) => ContainerNetwork::Resolving { id: id.clone(), resolver: gateway },
        Network::None | Network::Bridge { .. } => ContainerNetwork::Id(id.clone()),
    };
    let enclosure = Enclosure::of(attachment, Some(Own { id, fence }), raised, wanted);
    Ok(Enclosure { relay, ..enclosure })
}

impl Enclosure {
    fn disabled() -> Self {
        Self { attachment: ContainerNetwork::Disabled, own: None, guard: None, notice: None, relay: None }
    }

    fn of(
        attachment: ContainerNetwork,
        own: Option<Own>,
        raised: Result<Guard, NoGuard>,
        wanted: Wanted<'_>,
    ) -> Self {
        let notice = raised.as_ref().err().map(|why| match wanted.network {
            Network::None => format!("the component could reach the host's own services: {why}"),
            Network::Bridge { .. } | Network::Listed(_) => {
                format!("private ranges and the host itself are not blocked for the component: {why}")
            }
        });
        Self { attachment, own, guard: raised.ok(), notice, relay: None }
    }

    /// What the container is to be made on.
    pub(crate) fn attachment(&self) -> ContainerNetwork {
        self.attachment.clone()
    }

    /// The host's address on the container's own network, where the runner may listen for it.
    pub(crate) fn gateway(&self) -> Option<Ipv4Addr> {
        self.own.as_ref().map(|own| own.fence.gateway)
    }

    /// Whether netfilter holds what the spec says.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// What is not held although it should be, for the job's record.
    pub(crate) fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Lets the container reach these ports of the gateway, besides what it may reach otherwise.
    pub(crate) async fn admit(&mut self, ports: &[HostPort]) -> Result<(), EgressError> {
        let (Some(own), Some(guard)) = (&mut self.own, self.guard) else {
            return Ok(());
        };
        own.fence.ports = ports.to_vec();
        guard.enclose(&own.fence).await.map_err(EgressError::Guard)
    }

    /// The next destination that was refused for the first time; waits for ever where nobody refuses any more.
    pub(crate) async fn next_refusal(&mut self) -> Refusal {
        if let Some(relay) = &mut self.relay
            && let Some(refusal) = relay.next_refusal().await
        {
            return refusal;
        }
        std::future::pending().await
    }

    /// What was reached and refused so far; `None` where nobody looks.
    pub(crate) fn contacts(&self) -> Option<Contacts> {
        self.relay.as_ref().map(Relay::contacts)
    }

    /// Has rules loaded again that somebody took away. An error where they cannot be and the `network` of the spec, or the
    /// settings, need them. Costs a call of `nft`.
    pub(crate) async fn restore(
        &self,
        network: &Network,
        options: &EgressOptions,
    ) -> Result<Rules, EgressError> {
        let Some(guard) = self.guard else {
            return Ok(Rules::Held);
        };
        let fence = self.own.as_ref().map(|own| &own.fence);
        match guard.holds(fence).await {
            Ok(true) => return Ok(Rules::Held),
            Ok(false) => {}
            Err(why) => {
                // Nobody knows then; the next look may tell.
                tracing::warn!(%why, "rules could not be looked at");
                return Ok(Rules::Held);
            }
        }
        match (guard.restore(fence, options).await, needs_guard(network, options)) {
            (Ok(()), _) => Ok(Rules::Restored),
            (Err(why), None) => Ok(Rules::Gone(why)),
            (Err(why), Some(need)) => Err(EgressError::Unguarded { need, why }),
        }
    }

    /// Removes the network, after its container.
    pub(crate) async fn remove(self, engine: &Engine) -> Result<(), EgressError> {
        if let Some(relay) = self.relay {
            relay.end().await;
        }
        let Some(own) = self.own else {
            return Ok(());
        };
        engine.remove_network(&own.id).await?;
        if self.guard.is_some() {
            guard::release(&own.fence.interface).await.map_err(EgressError::Guard)?;
        }
        Ok(())
    }
}

/// The name of a network's device: fifteen characters are all that the kernel takes.
fn interface(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(5).fold(OWN_INTERFACE.to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
