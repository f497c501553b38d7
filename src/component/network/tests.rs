use rstest::rstest;

use super::{Destination, Host, NamePattern, Network, Range};
use crate::component::{Presets, parse_spec};

fn parse(network: &str) -> Result<Network, String> {
    let text = format!("id: x\nimage: {{uri: a/b}}\nnetwork: {network}\n");
    let component = parse_spec(&text, "x.yaml", &Presets::default());
    component.map(|component| component.network).map_err(|complaints| complaints.to_string())
}

fn ranges(texts: &[&str]) -> Vec<Range> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn each_form_is_read() {
    assert_eq!(parse("none"), Ok(Network::None));
    assert_eq!(parse("{type: none}"), Ok(Network::None));
    assert_eq!(parse("bridge"), Ok(Network::Bridge { private: Vec::new() }));
    assert_eq!(
        parse("{type: bridge, private: [10.1.0.0/16, 192.168.3.4, 169.254.169.254]}"),
        Ok(Network::Bridge { private: ranges(&["10.1.0.0/16", "192.168.3.4", "169.254.169.254"]) })
    );
    let name = |name: &str| Host::Name(name.parse::<NamePattern>().unwrap());
    let address = |text: &str| Host::Addresses(text.parse().unwrap());
    assert_eq!(
        parse("{allow: ['db.Example.com:5432', '*.example.com:443', '10.1.2.3:5432', '10.0.0.0/8:443']}"),
        Ok(Network::Listed(vec![
            Destination { host: name("db.example.com"), port: 5432 },
            Destination { host: name("*.example.com"), port: 443 },
            Destination { host: address("10.1.2.3"), port: 5432 },
            Destination { host: address("10.0.0.0/8"), port: 443 },
        ]))
    );
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_remedy() {
    let mistakes =
        "{type: bridge, private: [10.1.2.3/16, 8.8.8.0/24, 127.0.0.1, 0.0.0.0/0, 'fd00::1', x, 10.0.0.0/33]}";
    insta::assert_snapshot!(parse(mistakes).unwrap_err(), @r#"
    x.yaml:3:35: network.private[0]: the range begins at 10.1.0.0/16: bits after the prefix are set
    x.yaml:3:48: network.private[1]: not within a private range (public addresses can be reached anyway; list ranges within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 198.18.0.0/15 or 169.254.0.0/16)
    x.yaml:3:60: network.private[2]: loopback addresses can never be reached: they are the host's own
    x.yaml:3:71: network.private[3]: loopback addresses can never be reached: they are the host's own
    x.yaml:3:82: network.private[4]: IPv6 addresses cannot be reached: components have IPv4 only
    x.yaml:3:93: network.private[5]: not an IPv4 address, or a range such as 10.1.0.0/16
    x.yaml:3:96: network.private[6]: the prefix length must be a number from 0 to 32
    "#);
    let mistakes = "{allow: [db.example.com, 'db.example.com:0', '*:443', '*.com:443', 'a.*.com:1', '127.0.0.1:80', \
                    'localhost:80', '[fd00::1]:80', '10.1.2.3/8:80', '1.2.3:80', 'ex_ample-.com:80', 'a b:80']}";
    insta::assert_snapshot!(parse(mistakes).unwrap_err(), @r#"
    x.yaml:3:19: network.allow[0]: a port is missing: expected host:port, such as db.example.com:5432
    x.yaml:3:35: network.allow[1]: the port must be a number from 1 to 65535
    x.yaml:3:55: network.allow[2]: a * stands for whole labels at the beginning, with at least two labels after it: *.example.com
    x.yaml:3:64: network.allow[3]: a * stands for whole labels at the beginning, with at least two labels after it: *.example.com
    x.yaml:3:77: network.allow[4]: a * stands for whole labels at the beginning, with at least two labels after it: *.example.com
    x.yaml:3:90: network.allow[5]: loopback addresses can never be reached: they are the host's own
    x.yaml:3:106: network.allow[6]: localhost is the container itself, and the host's own loopback can never be reached
    x.yaml:3:122: network.allow[7]: IPv6 addresses cannot be reached: components have IPv4 only
    x.yaml:3:138: network.allow[8]: the range begins at 10.0.0.0/8: bits after the prefix are set
    x.yaml:3:155: network.allow[9]: not an IPv4 address, or a range such as 10.1.0.0/16
    x.yaml:3:167: network.allow[10]: not a host name: letters, digits and dashes between dots, at most 253 characters in all
    x.yaml:3:187: network.allow[11]: not a host name: letters, digits and dashes between dots, at most 253 characters in all
    "#);
    for (text, words) in [
        ("{}", "says nothing"),
        ("{allow: []}", "the list is empty (use `network: none`"),
        ("{type: bridge, allow: ['a.com:1']}", "network.type: means nothing beside `allow`"),
        ("{type: none, private: [10.0.0.0/8]}", "network.private: means something only with `type: bridge`"),
        ("{type: host}", "expected one of none, bridge, found \"host\""),
        ("{alow: ['a.com:1']}", "unknown key (did you mean allow?)"),
        ("[a]", "expected a text, found a list"),
    ] {
        let said = parse(text).unwrap_err();
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[rstest]
#[case::itself("db.example.com", "db.example.com", true)]
#[case::in_capitals_and_with_a_dot("db.example.com", "DB.Example.COM.", true)]
#[case::something_below("db.example.com", "x.db.example.com", false)]
#[case::something_that_ends_alike("db.example.com", "notdb.example.com", false)]
#[case::below_a_wildcard("*.example.com", "a.b.example.com", true)]
#[case::a_wildcards_own_domain("*.example.com", "example.com", false)]
#[case::an_empty_label("*.example.com", ".example.com", false)]
#[case::a_domain_that_ends_alike("*.example.com", "badexample.com", false)]
fn a_pattern_means_names(#[case] pattern: &str, #[case] name: &str, #[case] is_meant: bool) {
    assert_eq!(pattern.parse::<NamePattern>().unwrap().matches(name), is_meant);
}

#[test]
fn ranges_contain_and_overlap() {
    let range: Range = "10.1.0.0/16".parse().unwrap();
    assert!(range.contains("10.1.255.255".parse().unwrap()) && !range.contains("10.2.0.0".parse().unwrap()));
    let all: Range = "0.0.0.0/0".parse().unwrap();
    assert!(range.is_within(all) && !all.is_within(range) && all.overlaps(range));
    assert!(!range.overlaps("10.2.0.0/16".parse().unwrap()));
    assert_eq!(range.to_string(), "10.1.0.0/16");
    assert_eq!("10.1.2.3/32".parse::<Range>().unwrap().to_string(), "10.1.2.3");
}
