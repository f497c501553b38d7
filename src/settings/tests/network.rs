//! The networks of components.

use super::*;
use crate::egress::{EgressOptions, GuardWish};

#[test]
fn what_is_said_of_networks_is_read() {
    let text = "network:\n  guard: required\n  subnets: 10.77.0.0/16\n  resolvers: [10.0.0.2]\n  hosts: {DB.example.com: 10.1.2.3}\n";
    let address = |text: &str| text.parse().unwrap();
    let expected = EgressOptions {
        guard: GuardWish::Required,
        subnets: "10.77.0.0/16".parse().unwrap(),
        resolvers: vec![address("10.0.0.2")],
        hosts: vec![("db.example.com".to_owned(), address("10.1.2.3"))],
    };
    assert_eq!(load(text, &[]).unwrap().network, expected);
    let said =
        load("", &[("LONGSHORE_NETWORK_GUARD", "off"), ("LONGSHORE_NETWORK_SUBNETS", "10.0.0.0/8")]).unwrap();
    assert_eq!((said.network.guard, said.network.subnets), (GuardWish::Off, "10.0.0.0/8".parse().unwrap()));
}

#[test]
fn mistakes_in_what_is_said_of_networks_have_their_places() {
    let text = "network:\n  guard: yes please\n  subnets: 10.77.0.0/30\n  resolvers: [x]\n  hosts: {'*.example.com': 10.1.2.3, a b: 10.1.2.3, c.example: c}\n  gaurd: auto\n";
    let said = said(text, &[]);
    for what in [
        "longshore.yaml:2:10: network.guard: expected one of auto, required, off, found \"yes please\"",
        "longshore.yaml:3:12: network.subnets: has no room for networks (a range of /28 or larger)",
        "network.resolvers[0]: expected an IPv4 address such as 10.1.2.3",
        "network.hosts[\"*.example.com\"]: *.example.com: one name, not a pattern",
        "network.hosts.a b: a b: not a host name",
        "network.hosts[\"c.example\"]: expected an IPv4 address such as 10.1.2.3",
        "longshore.yaml:6:3: network.gaurd: unknown key (did you mean guard?)",
    ] {
        assert!(said.contains(what), "{what} is not in\n{said}");
    }
}
