//! Scripts for `nft`. Pure, so that the rules can be read and tested as text.
//!
//! Each base chain only looks up the device that a packet came in by; what follows is that network's own chain. So a
//! network's rules are one element in each map and come and go without touching anybody else's. Everything is added
//! before it is flushed or deleted, which makes a script succeed whether or not there was something before.

use std::net::Ipv4Addr;

use super::{Fence, HostPort, OWN_INTERFACE, Policy, SHARED_INTERFACE, Transport};

pub(super) const TABLE: &str = "longshore";
pub(super) const FORWARD_MAP: &str = "forward_of";
const INPUT_MAP: &str = "input_of";
const REDIRECT_MAP: &str = "redirect_of";

/// Before the engine's own chains, which lie at 0 and -100.
const FILTER_PRIORITY: i32 = -10;
const NAT_PRIORITY: i32 = -110;

/// What an open network does not reach: this host, private use, shared address space, loopback, link-local, protocol
/// assignments, benchmarks, multicast and the rest (RFC 6890).
const BLOCKED: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, \
                       192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3";

/// Refused at once, so that nobody waits for an answer.
const REJECT: [&str; 2] =
    ["meta l4proto tcp reject with tcp reset", "reject with icmpx type admin-prohibited"];

/// A script in the making.
struct Script(String);

impl Script {
    fn new() -> Self {
        Self(format!("add table inet {TABLE}\n"))
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A chain with exactly these rules; `hook` for one that packets come to by themselves.
    fn chain(&mut self, name: &str, hook: &str, rules: &[String]) {
        self.line(&format!("add chain inet {TABLE} {name}{hook}"));
        self.line(&format!("flush chain inet {TABLE} {name}"));
        for rule in rules {
            self.line(&format!("add rule inet {TABLE} {name} {rule}"));
        }
    }

    fn maps(&mut self) {
        for map in [FORWARD_MAP, INPUT_MAP, REDIRECT_MAP] {
            self.line(&format!("add map inet {TABLE} {map} {{ type ifname : verdict; }}"));
        }
    }

    fn element(&mut self, verb: &str, map: &str, interface: &str, chain: &str) {
        self.line(&format!("{verb} element inet {TABLE} {map} {{ \"{interface}\" : goto {chain} }}"));
    }
}

/// What all networks share, and the fence of the bridge that plain `bridge` containers are on.
pub(super) fn shared(resolvers: &[Ipv4Addr]) -> String {
    let mut script = Script::new();
    script.maps();
    script.line(&format!("add set inet {TABLE} resolvers {{ type ipv4_addr; }}"));
    script.line(&format!("flush set inet {TABLE} resolvers"));
    if !resolvers.is_empty() {
        let resolvers: Vec<String> = resolvers.iter().map(Ipv4Addr::to_string).collect();
        script.line(&format!("add element inet {TABLE} resolvers {{ {} }}", resolvers.join(", ")));
    }
    // The engine's resolver asks from within the container's own namespace.
    let asks = "ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 accept".to_owned();
    let mut forward = vec![asks.clone()];
    // Our networks have no IPv6, so what comes by it is a link-local address that nobody gave out.
    forward.push("meta nfproto ipv6 reject with icmpx type admin-prohibited".to_owned());
    forward.extend(neighbours());
    // What the engine has translated to a port that somebody published has that one's address by now.
    forward.extend(REJECT.map(|reject| format!("ip daddr {{ {BLOCKED} }} {reject}")));
    script.chain("open_forward", "", &forward);
    script.chain("open_input", "", &std::iter::once(asks).chain(rejects()).collect::<Vec<_>>());
    script.element("add", FORWARD_MAP, SHARED_INTERFACE, "open_forward");
    script.element("add", INPUT_MAP, SHARED_INTERFACE, "open_input");
    let filter = |hook: &str, map: &str, script: &mut Script| {
        let hook_words = format!(" {{ type filter hook {hook} priority {FILTER_PRIORITY}; policy accept; }}");
        script.chain(hook, &hook_words, &[format!("iifname vmap @{map}")]);
    };
    filter("forward", FORWARD_MAP, &mut script);
    filter("input", INPUT_MAP, &mut script);
    let hook = format!(" {{ type nat hook prerouting priority {NAT_PRIORITY}; policy accept; }}");
    script.chain("prerouting", &hook, &[format!("iifname vmap @{REDIRECT_MAP}")]);
    script.0
}

/// The rules of one network.
pub(super) fn fence(fence: &Fence) -> String {
    let Fence { interface, gateway, policy, ports } = fence;
    let [forward_chain, input_chain, redirect_chain] = chains(interface);
    let mut script = Script::new();
    let admitted: Vec<String> =
        ports.iter().map(|port| format!("ip daddr {gateway} {} accept", port_words(*port))).collect();
    let mut input = admitted.clone();
    let mut redirect = admitted;
    let forward = match policy {
        Policy::Closed => {
            input.extend(rejects());
            rejects().collect()
        }
        Policy::Open { private } => {
            input.push("goto open_input".to_owned());
            let admitted = private.iter().map(|range| format!("ip daddr {range} accept"));
            // Whatever a range includes, other jobs are not meant.
            neighbours().chain(admitted).chain(["goto open_forward".to_owned()]).collect()
        }
        Policy::Relayed { relay, dns } => {
            // By then a connection that was redirected has the relay's address; one to the relay itself was, too.
            input.push(format!("ip daddr {gateway} tcp dport {{ {relay}, {dns} }} accept"));
            input.push(format!("ip daddr {gateway} udp dport {dns} accept"));
            input.extend(rejects());
            redirect.push(format!("meta l4proto {{ tcp, udp }} th dport 53 redirect to :{dns}"));
            redirect.push(format!("meta l4proto tcp redirect to :{relay}"));
            rejects().collect::<Vec<_>>()
        }
    };
    script.chain(&forward_chain, "", &forward);
    script.chain(&input_chain, "", &input);
    script.element("add", FORWARD_MAP, interface, &forward_chain);
    script.element("add", INPUT_MAP, interface, &input_chain);
    if matches!(policy, Policy::Relayed { .. }) {
        script.chain(&redirect_chain, "", &redirect);
        script.element("add", REDIRECT_MAP, interface, &redirect_chain);
    }
    script.0
}

/// Whether rules are there: a script that fails where a chain or an element is missing, and tells the chains' rules.
pub(super) struct Question {
    pub(super) script: String,
    /// Must have rules: `nft flush table` empties chains and leaves them.
    pub(super) chains: Vec<String>,
}

/// Asks for what all networks share, and for one's own rules or those of the shared bridge.
pub(super) fn question(fence: Option<&Fence>) -> Question {
    let shared = ["forward", "input", "prerouting", "open_forward", "open_input"];
    let mut chains: Vec<String> = shared.map(str::to_owned).to_vec();
    let mut maps = vec![FORWARD_MAP, INPUT_MAP];
    let interface = fence.map_or(SHARED_INTERFACE, |fence| &fence.interface);
    if let Some(fence) = fence {
        let is_relayed = matches!(fence.policy, Policy::Relayed { .. });
        maps.extend(is_relayed.then_some(REDIRECT_MAP));
        chains.extend(self::chains(interface).into_iter().take(maps.len()));
    }
    let listed = chains.iter().map(|chain| format!("list chain inet {TABLE} {chain}\n"));
    let got = maps.iter().map(|map| format!("get element inet {TABLE} {map} {{ \"{interface}\" }}\n"));
    Question { script: listed.chain(got).collect(), chains }
}

/// Takes the rules of a network away, whether or not they are there.
pub(super) fn release(interface: &str) -> String {
    let mut script = Script::new();
    script.maps();
    for (map, chain) in [FORWARD_MAP, INPUT_MAP, REDIRECT_MAP].into_iter().zip(chains(interface)) {
        script.line(&format!("add chain inet {TABLE} {chain}"));
        script.element("add", map, interface, &chain);
        script.line(&format!("delete element inet {TABLE} {map} {{ \"{interface}\" }}"));
        script.line(&format!("flush chain inet {TABLE} {chain}"));
        script.line(&format!("delete chain inet {TABLE} {chain}"));
    }
    script.0
}

/// Containers on our bridges, also on the same one.
fn neighbours() -> impl Iterator<Item = String> {
    let devices = [SHARED_INTERFACE.to_owned(), format!("{OWN_INTERFACE}*")];
    devices.into_iter().flat_map(|device| REJECT.map(|reject| format!("oifname \"{device}\" {reject}")))
}

fn rejects() -> impl Iterator<Item = String> {
    REJECT.into_iter().map(str::to_owned)
}

fn chains(interface: &str) -> [String; 3] {
    ["forward", "input", "redirect"].map(|part| format!("{interface}_{part}"))
}

fn port_words(port: HostPort) -> String {
    let transport = match port.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    format!("{transport} dport {}", port.port)
}
