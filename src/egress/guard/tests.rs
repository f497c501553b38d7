use super::rules;
use super::{Fence, HostPort, Policy, Transport};

fn fence(policy: Policy) -> Fence {
    let ports = vec![
        HostPort { transport: Transport::Tcp, port: 12201 },
        HostPort { transport: Transport::Udp, port: 12202 },
    ];
    let gateway = "198.18.0.1".parse().unwrap();
    Fence { interface: "lsjob0123456789".to_owned(), gateway, policy, ports }
}

/// What a script says about one chain, without the words that every line begins with.
fn chain(script: &str, name: &str) -> Vec<String> {
    let start = format!("add rule inet longshore {name} ");
    script.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

const TCP: &str = "meta l4proto tcp reject with tcp reset";
const REST: &str = "reject with icmpx type admin-prohibited";

#[test]
fn a_closed_network_reaches_the_ports_that_are_open_for_it_and_nothing_else() {
    let script = rules::fence(&fence(Policy::Closed));
    assert_eq!(chain(&script, "lsjob0123456789_forward"), [TCP, REST]);
    assert_eq!(
        chain(&script, "lsjob0123456789_input"),
        [
            "ip daddr 198.18.0.1 tcp dport 12201 accept",
            "ip daddr 198.18.0.1 udp dport 12202 accept",
            TCP,
            REST
        ]
    );
    assert!(!script.contains("redirect to"));
}

#[test]
fn private_ranges_that_are_listed_come_after_the_neighbours_and_before_the_rest() {
    let script = rules::fence(&fence(Policy::Open { private: vec!["10.1.0.0/16".parse().unwrap()] }));
    let rules = chain(&script, "lsjob0123456789_forward");
    let place = |words: &str| rules.iter().position(|rule| rule.contains(words)).unwrap();
    assert!(place("oifname \"longshore0\"") < place("ip daddr 10.1.0.0/16 accept"));
    assert!(place("oifname \"lsjob*\"") < place("ip daddr 10.1.0.0/16 accept"));
    assert_eq!(rules.last().map(String::as_str), Some("goto open_forward"));
}

#[test]
fn a_relayed_network_sends_every_connection_to_the_relay_but_those_to_open_ports() {
    let script = rules::fence(&fence(Policy::Relayed { relay: 4001, dns: 4002 }));
    assert_eq!(
        chain(&script, "lsjob0123456789_redirect"),
        [
            "ip daddr 198.18.0.1 tcp dport 12201 accept",
            "ip daddr 198.18.0.1 udp dport 12202 accept",
            "meta l4proto { tcp, udp } th dport 53 redirect to :4002",
            "meta l4proto tcp redirect to :4001"
        ]
    );
    assert_eq!(chain(&script, "lsjob0123456789_forward"), [TCP, REST]);
}
