use std::fs;
use std::process::{Command, Output};

use super::{Fence, HostPort, Policy, Transport};
use super::{nft, rules};

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
    assert_eq!(
        chain(&script, "lsjob0123456789_input"),
        [
            "ip daddr 198.18.0.1 tcp dport 12201 accept",
            "ip daddr 198.18.0.1 udp dport 12202 accept",
            "ip daddr 198.18.0.1 tcp dport { 4001, 4002 } accept",
            "ip daddr 198.18.0.1 udp dport 4002 accept",
            TCP,
            REST
        ]
    );
}

#[test]
fn an_open_network_asks_resolvers_and_reaches_neither_the_host_nor_neighbours_nor_private_ranges() {
    let script = rules::shared(&["192.0.2.53".parse().unwrap()]);
    assert!(script.contains("add element inet longshore resolvers { 192.0.2.53 }\n"), "{script}");
    let asks = "ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 accept";
    assert_eq!(chain(&script, "open_input"), [asks, TCP, REST]);
    let forward = chain(&script, "open_forward");
    let devices = ["longshore0", "lsjob*"].map(|device| format!("oifname \"{device}\" "));
    let private = "ip daddr { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, \
                   192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3 } ";
    let rejected = [devices[0].as_str(), &devices[1], private];
    let rejected = rejected.iter().flat_map(|what| [TCP, REST].map(|reject| format!("{what}{reject}")));
    let sixth = format!("meta nfproto ipv6 {REST}");
    let expected: Vec<String> = [asks.to_owned(), sixth].into_iter().chain(rejected).collect();
    assert_eq!(forward, expected);
    // Whoever has private ranges listed is held from the host like all others.
    let own = rules::fence(&fence(Policy::Open { private: Vec::new() }));
    assert_eq!(chain(&own, "lsjob0123456789_input").last().map(String::as_str), Some("goto open_input"));
}

/// Runs a shell script in a network namespace of its own, where `nft` meets nobody else's rules. `None`: this machine lets us have
/// none.
fn in_a_namespace(folder: &std::path::Path, script: &str) -> Option<Output> {
    let run = |script: &str| {
        Command::new("unshare").args(["--net", "sh", "-c", script]).current_dir(folder).output()
    };
    if run("nft list tables").is_ok_and(|output| output.status.success()) {
        return Some(run(script).unwrap());
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "no network namespaces or no nft: scripts/setup.sh installs what is missing; be root");
    eprintln!("SKIP (not root, or no nft, unshare): {:?}", std::thread::current().name());
    None
}

#[test]
fn rules_that_were_flushed_in_any_way_are_missed_and_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let own = fence(Policy::Relayed { relay: 4001, dns: 4002 });
    for fence in [None, Some(&own)] {
        let question = rules::question(fence);
        let load =
            rules::shared(&["192.0.2.1".parse().unwrap()]) + &fence.map(rules::fence).unwrap_or_default();
        fs::write(folder.path().join("load"), load).unwrap();
        fs::write(folder.path().join("question"), &question.script).unwrap();
        let holds_after = |harm: &str| {
            let script = format!("nft -f load || exit 9; {harm} || exit 9; nft -j -f question 2>/dev/null");
            let output = in_a_namespace(folder.path(), &script)?;
            assert_ne!(output.status.code(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
            let filled = nft::filled_of(&output.stdout);
            Some(output.status.success() && question.chains.iter().all(|chain| filled.contains(chain)))
        };
        let Some(holds) = holds_after("true") else { return };
        assert!(holds);
        let interface = fence.map_or("longshore0", |fence| &fence.interface);
        for harm in [
            "nft flush ruleset",
            "nft delete table inet longshore",
            "nft flush table inet longshore",
            "nft flush chain inet longshore input",
            "nft flush chain inet longshore open_forward",
            &format!("nft 'delete element inet longshore forward_of {{ \"{interface}\" }}'"),
        ] {
            assert_eq!(holds_after(harm), Some(false), "{harm}");
            assert_eq!(holds_after(&format!("{harm} && nft -f load")), Some(true), "{harm}");
        }
    }
}
