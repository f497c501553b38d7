//! What a list allows. Remembers which addresses the container was told for which name.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::super::subnet;
use crate::component::{Destination, Host, Range};

const LINK_LOCAL: Range = Range::around(Ipv4Addr::new(169, 254, 0, 0), 16);
const THIS_NETWORK: Range = Range::around(Ipv4Addr::UNSPECIFIED, 8);
/// Multicast, reserved and broadcast.
const NOT_ONE_HOST: Range = Range::around(Ipv4Addr::new(224, 0, 0, 0), 3);
/// Names of one address, and addresses in all, that are remembered: a wildcard has names without end.
const NAMES_MAX: usize = 100;
const ADDRESSES_MAX: usize = 10_000;
/// Names that the host's resolver is asked for at the same time. A lookup cannot be cut short, and its thread is one of
/// those that all jobs of the worker share.
const LOOKUPS_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Judge {
    gateway: Ipv4Addr,
    list: Vec<Destination>,
    hosts: Vec<(String, Ipv4Addr)>,
    told: Mutex<HashMap<Ipv4Addr, Vec<String>>>,
    /// Each lookup holds one of these until it has ended.
    pub(super) lookups: Arc<Semaphore>,
}

impl Judge {
    pub(super) fn new(gateway: Ipv4Addr, list: Vec<Destination>, hosts: Vec<(String, Ipv4Addr)>) -> Self {
        Self { gateway, list, hosts, told: Mutex::default(), lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// By what an address may be connected to: the name it was told for, or itself. `None`: not at all.
    pub(super) fn allows(&self, to: SocketAddrV4) -> Option<String> {
        let address = *to.ip();
        if self.is_never(address) {
            return None;
        }
        let ports_fit = self.list.iter().filter(|destination| destination.port == to.port());
        let mut names = Vec::new();
        for destination in ports_fit {
            match &destination.host {
                Host::Addresses(range) if covers(*range, address) => return Some(address.to_string()),
                Host::Addresses(_) => {}
                Host::Name(name) => names.push(name),
            }
        }
        if LINK_LOCAL.contains(address) {
            return None;
        }
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_listed = |told: &&String| names.iter().any(|name| name.matches(told));
        told.get(&address)?.iter().find(is_listed).cloned()
    }

    /// Whether a name may be asked for, whatever the port will be.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.list.iter().any(|destination| match &destination.host {
            Host::Name(pattern) => pattern.matches(name),
            Host::Addresses(_) => false,
        })
    }

    /// The address that settings give a name.
    pub(super) fn fixed(&self, name: &str) -> Option<Ipv4Addr> {
        let found = self.hosts.iter().find(|(host, _)| host.eq_ignore_ascii_case(name));
        found.map(|(_, address)| *address)
    }

    /// Takes out of a resolver's answer what no name may lead to, and remembers the rest.
    pub(super) fn tell(&self, name: &str, addresses: Vec<Ipv4Addr>) -> Vec<Ipv4Addr> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut allowed = Vec::with_capacity(addresses.len());
        for address in addresses {
            if self.is_never(address) || LINK_LOCAL.contains(address) {
                continue;
            }
            if told.len() >= ADDRESSES_MAX && !told.contains_key(&address) {
                continue;
            }
            let names = told.entry(address).or_default();
            let name = name.to_ascii_lowercase();
            if !names.contains(&name) && names.len() < NAMES_MAX {
                names.push(name);
            }
            allowed.push(address);
        }
        allowed
    }

    /// What no list opens: the host's loopback, its side of the container's own network, other jobs, and what is no host.
    fn is_never(&self, address: Ipv4Addr) -> bool {
        address.is_loopback()
            || THIS_NETWORK.contains(address)
            || NOT_ONE_HOST.contains(address)
            || address == self.gateway
            || subnet::is_ours(address)
    }
}

/// Whether an entry means an address. Broad ranges do not mean link-local addresses, where clouds keep their metadata,
/// nor the host's own: these must be listed by themselves.
fn covers(range: Range, address: Ipv4Addr) -> bool {
    range.contains(address)
        && (!LINK_LOCAL.contains(address) || range.is_within(LINK_LOCAL))
        && (range.is_single() || !is_own(address))
}

/// Whether an address is the host's own: only those can be bound.
fn is_own(address: Ipv4Addr) -> bool {
    UdpSocket::bind(SocketAddrV4::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

    fn judge(list: &[&str]) -> Judge {
        Judge::new(GATEWAY, list.iter().map(|text| text.parse().unwrap()).collect(), Vec::new())
    }

    fn allows(judge: &Judge, to: &str) -> Option<String> {
        judge.allows(to.parse().unwrap())
    }

    #[test]
    fn an_address_is_allowed_with_its_port_alone() {
        let judge = judge(&["192.0.2.77:5432", "10.0.0.0/8:443"]);
        assert_eq!(allows(&judge, "192.0.2.77:5432").as_deref(), Some("192.0.2.77"));
        assert_eq!(allows(&judge, "10.9.8.7:443").as_deref(), Some("10.9.8.7"));
        for to in ["192.0.2.77:5433", "192.0.2.78:5432", "10.9.8.7:5432"] {
            assert_eq!(allows(&judge, to), None, "{to}");
        }
    }

    #[test]
    fn a_range_however_broad_does_not_open_the_host_or_its_metadata() {
        let judge = judge(&["0.0.0.0/0:80", "127.0.0.1:80"]);
        for to in [
            "127.0.0.1:80",
            "0.0.0.0:80",
            "169.254.169.254:80",
            "198.18.0.1:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
        ] {
            assert_eq!(allows(&judge, to), None, "{to}");
        }
        assert!(allows(&judge, "203.0.113.9:80").is_some());
        let judge = self::judge(&["169.254.169.254:80"]);
        assert!(allows(&judge, "169.254.169.254:80").is_some());
    }

    #[test]
    fn an_address_is_allowed_by_a_name_only_after_it_was_told_for_it() {
        let judge = judge(&["db.example.com:5432", "*.example.org:443"]);
        let address: Ipv4Addr = "10.1.2.3".parse().unwrap();
        assert_eq!(allows(&judge, "10.1.2.3:5432"), None);
        assert!(judge.knows("DB.example.com.") && !judge.knows("example.com"));
        assert_eq!(judge.tell("DB.example.com", vec![address]), [address]);
        assert_eq!(allows(&judge, "10.1.2.3:5432").as_deref(), Some("db.example.com"));
        assert_eq!(allows(&judge, "10.1.2.3:443"), None, "that port is another name's");
    }

    #[test]
    fn no_name_leads_to_loopback_link_local_or_nowhere() {
        let judge = judge(&["db.example.com:80"]);
        let answers = ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "198.18.0.1", "10.1.2.3"];
        let answers = answers.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(judge.tell("db.example.com", answers), ["10.1.2.3".parse::<Ipv4Addr>().unwrap()]);
    }

    #[test]
    fn a_name_that_leads_everywhere_is_remembered_in_bounds() {
        let judge = judge(&["*.example.org:443"]);
        let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
        let more = u32::try_from(ADDRESSES_MAX).unwrap() + 1;
        let addresses: Vec<Ipv4Addr> = (first..first + more).map(Ipv4Addr::from_bits).collect();
        let told = judge.tell("a.example.org", addresses.clone());
        assert_eq!(told, addresses[..ADDRESSES_MAX], "an address that is not remembered is not told");
        for number in 0..=NAMES_MAX {
            judge.tell(&format!("{number}.example.org"), vec![addresses[0]]);
        }
        assert_eq!(judge.told.lock().unwrap()[&addresses[0]].len(), NAMES_MAX);
        assert_eq!(allows(&judge, "10.0.0.0:443").as_deref(), Some("a.example.org"));
    }
}
