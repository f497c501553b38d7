//! Networks of containers: one that many share unable to see each other, and those of a single job.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptions;

use super::{Engine, EngineError};

const ISOLATION: &str = "com.docker.network.bridge.enable_icc";
const INTERFACE: &str = "com.docker.network.bridge.name";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";

/// The addresses of a network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subnet {
    pub first: Ipv4Addr,
    /// Length of the prefix in bits.
    pub prefix: u8,
    /// The host's address, one of these.
    pub gateway: Ipv4Addr,
}

/// A bridge network to be made, without IPv6 and without traffic between its containers.
#[derive(Debug)]
pub(crate) struct NewNetwork<'a> {
    pub name: &'a str,
    /// The bridge's device on the engine's host, at most fifteen characters.
    pub interface: &'a str,
    pub labels: &'a [(String, String)],
    /// Without one the engine chooses.
    pub subnet: Option<Subnet>,
    /// Whether what leaves the host gets the host's address: without it nobody outside can answer.
    pub masquerade: bool,
    /// The engine gives no way out of it at all.
    pub internal: bool,
}

/// A network that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundNetwork {
    pub id: String,
    pub name: String,
    /// The bridge's device, where it was named by whoever made it.
    pub interface: Option<String>,
    pub gateway: Option<Ipv4Addr>,
    pub labels: Vec<(String, String)>,
}

impl FoundNetwork {
    /// One of our own labels, by its name after `longshore.`.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let is_meant = |label: &str| label.strip_prefix("longshore.") == Some(name);
        self.labels.iter().find(|(label, _)| is_meant(label)).map(|(_, value)| value.as_str())
    }
}

impl Engine {
    /// The bridge network of this name, whose containers do not see each other; made when there is none.
    pub(crate) async fn ensure_shared_network(
        &self,
        new: NewNetwork<'_>,
    ) -> Result<FoundNetwork, EngineError> {
        let name = new.name;
        if let Some(found) = self.network_named(name).await? {
            return Ok(found);
        }
        // Another worker may make one in the same moment. Engines tell it differently (the name, or the device, is
        // taken), and older ones let both live under one name: looking again makes everybody take the same.
        match self.create_network(new).await {
            Ok(id) => self.network_named(name).await?.ok_or_else(|| EngineError::Refused {
                action: "keep",
                subject: format!("network {name}"),
                status: 404,
                message: format!("it made {id} and does not know it"),
            }),
            Err(error) if error.status().is_some() => self.network_named(name).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// The oldest network of this name. One that lets its containers talk to each other is not ours.
    pub(crate) async fn network_named(&self, name: &str) -> Result<Option<FoundNetwork>, EngineError> {
        // The engine's filter matches parts of names.
        let mut same = self.list_networks("name", name).await?;
        same.retain(|network| network.name.as_deref() == Some(name));
        same.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
        let Some(oldest) = same.into_iter().next() else {
            return Ok(None);
        };
        let options = oldest.options.as_ref();
        let isolated =
            options.is_some_and(|options| options.get(ISOLATION).is_some_and(|is_on| is_on == "false"));
        if isolated { Ok(found(oldest)) } else { Err(EngineError::ForeignNetwork { name: name.into() }) }
    }

    /// Makes a network and gives its id.
    pub(crate) async fn create_network(&self, new: NewNetwork<'_>) -> Result<String, EngineError> {
        let subject = format!("network {}", new.name);
        let pool = new.subnet.map(|subnet| IpamConfig {
            subnet: Some(format!("{}/{}", subnet.first, subnet.prefix)),
            gateway: Some(subnet.gateway.to_string()),
            ..IpamConfig::default()
        });
        let options = [
            (ISOLATION, "false".to_owned()),
            (INTERFACE, new.interface.to_owned()),
            (MASQUERADE, new.masquerade.to_string()),
        ];
        let request = NetworkCreateRequest {
            name: new.name.into(),
            driver: Some("bridge".into()),
            internal: Some(new.internal),
            enable_ipv6: Some(false),
            ipam: pool.map(|pool| Ipam { config: Some(vec![pool]), ..Ipam::default() }),
            options: Some(options.map(|(key, value)| (key.to_owned(), value)).into()),
            labels: Some(new.labels.iter().cloned().collect()),
            ..NetworkCreateRequest::default()
        };
        let made = self.order("create", &subject, self.docker.create_network(request)).await?;
        Ok(made.id)
    }

    /// Every network with this label (and this value of it).
    pub(crate) async fn find_networks(
        &self,
        label: &str,
        value: Option<&str>,
    ) -> Result<Vec<FoundNetwork>, EngineError> {
        let filter = value.map_or_else(|| label.to_owned(), |value| format!("{label}={value}"));
        Ok(self.list_networks("label", &filter).await?.into_iter().filter_map(found).collect())
    }

    /// Removes a network that no container is on. One that is gone counts as removed.
    pub(crate) async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        let removed = self.order("remove", &format!("network {id}"), self.docker.remove_network(id)).await;
        match removed {
            Err(error) if error.status() == Some(404) => Ok(()),
            Ok(()) | Err(_) => removed,
        }
    }

    async fn list_networks(&self, filter: &str, value: &str) -> Result<Vec<Network>, EngineError> {
        let filters = Some(HashMap::from([(filter.to_owned(), vec![value.to_owned()])]));
        self.ask("list", "networks", self.docker.list_networks(Some(ListNetworksOptions { filters }))).await
    }
}

/// An entry without an id cannot be acted on; the engine never sends one.
fn found(network: Network) -> Option<FoundNetwork> {
    let pools = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let gateway = pools.iter().find_map(|pool| pool.gateway.as_deref()?.parse().ok());
    let mut labels: Vec<_> = network.labels.unwrap_or_default().into_iter().collect();
    labels.sort();
    Some(FoundNetwork {
        id: network.id?,
        name: network.name.unwrap_or_default(),
        interface: network.options.and_then(|options| options.get(INTERFACE).cloned()),
        gateway,
        labels,
    })
}
