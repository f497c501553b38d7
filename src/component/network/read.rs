//! The wire forms of a spec's `network`.

use std::net::Ipv4Addr;

use super::super::document::{Item, Value};
use super::{Destination, Host, Network, Range};

const LOOPBACK: Range = Range::around(Ipv4Addr::new(127, 0, 0, 0), 8);
const LINK_LOCAL: Range = Range::around(Ipv4Addr::new(169, 254, 0, 0), 16);

/// Ranges that a bridge does not reach unless they are listed: RFC 1918, shared address space (RFC 6598), link-local
/// (RFC 3927, where clouds keep their metadata) and the range of benchmarks (RFC 2544).
const PRIVATE: [Range; 6] = [
    Range::around(Ipv4Addr::new(10, 0, 0, 0), 8),
    Range::around(Ipv4Addr::new(172, 16, 0, 0), 12),
    Range::around(Ipv4Addr::new(192, 168, 0, 0), 16),
    Range::around(Ipv4Addr::new(100, 64, 0, 0), 10),
    LINK_LOCAL,
    Range::around(Ipv4Addr::new(198, 18, 0, 0), 15),
];

/// A list that is longer belongs into a proxy of its own.
const ENTRIES_MAX: usize = 1_000;

/// `none`, `bridge`, `{type, private}` or `{allow}`.
pub(in crate::component) fn read_network(item: &Item<'_>) -> Option<Network> {
    match &item.node.value {
        Value::Map(_) => read_mapping(item),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
            let kinds = [("none", Network::None), ("bridge", Network::Bridge { private: Vec::new() })];
            let said = item.text()?;
            let known = kinds.into_iter().find(|(word, _network)| *word == said);
            if known.is_none() {
                item.complain_with(
                    format!("expected none, bridge or a mapping, found {said:?}"),
                    "as a mapping: {allow: [\"db.example.com:5432\"]} or {type: bridge, private: [\"10.1.0.0/16\"]}",
                );
            }
            known.map(|(_word, network)| network)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Bridge,
}

fn read_mapping(item: &Item<'_>) -> Option<Network> {
    let mut fields = item.fields()?;
    let said = fields.get("type");
    let kind = said.as_ref().and_then(|item| item.one_of(&[("none", Kind::None), ("bridge", Kind::Bridge)]));
    let private = fields.get("private");
    let allow = fields.get("allow");
    fields.finish();
    if let Some(allow) = allow {
        for other in [said, private].into_iter().flatten() {
            other.complain_with(
                "means nothing beside `allow`",
                "a list of what is allowed is the whole of it",
            );
        }
        return Some(Network::Listed(read_allow(&allow)));
    }
    match (kind, private) {
        (None, _) if said.is_some() => None,
        (None, None) => {
            item.complain_with(
                "says nothing",
                "use none, bridge, {type: bridge, private: […]} or {allow: […]}",
            );
            None
        }
        (Some(Kind::None), private) => {
            if let Some(private) = private {
                private.complain("means something only with `type: bridge`");
            }
            Some(Network::None)
        }
        (Some(Kind::Bridge) | None, private) => {
            let private = private.map(|item| read_ranges(&item)).unwrap_or_default();
            Some(Network::Bridge { private })
        }
    }
}

fn read_ranges(item: &Item<'_>) -> Vec<Range> {
    let read = |item: &Item<'_>| {
        let range: Range = item.parsed(str::parse)?;
        if range.overlaps(LOOPBACK) {
            item.complain("loopback addresses can never be reached: they are the host's own");
            return None;
        }
        if !PRIVATE.iter().any(|private| range.is_within(*private)) {
            item.complain_with(
                "not within a private range",
                "public addresses can be reached anyway; list ranges within 10.0.0.0/8, 172.16.0.0/12, \
                 192.168.0.0/16, 100.64.0.0/10, 198.18.0.0/15 or 169.254.0.0/16",
            );
            return None;
        }
        Some(range)
    };
    read_entries(item, read)
}

fn read_allow(item: &Item<'_>) -> Vec<Destination> {
    let read = |item: &Item<'_>| {
        let destination: Destination = item.parsed(str::parse)?;
        if let Host::Addresses(range) = destination.host
            && range.is_within(LOOPBACK)
        {
            item.complain("loopback addresses can never be reached: they are the host's own");
            return None;
        }
        Some(destination)
    };
    let is_empty = item.items().is_empty();
    if is_empty && matches!(item.node.value, Value::List(_) | Value::Map(_)) {
        item.complain_with("the list is empty", "use `network: none` where nothing is to be reached");
    }
    read_entries(item, read)
}

fn read_entries<T>(item: &Item<'_>, read: impl Fn(&Item<'_>) -> Option<T>) -> Vec<T> {
    let items = item.items();
    if items.len() > ENTRIES_MAX {
        item.complain(format!("at most {ENTRIES_MAX} entries"));
    }
    items.iter().take(ENTRIES_MAX).filter_map(read).collect()
}
