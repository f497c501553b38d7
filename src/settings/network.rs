//! What is set about the networks of components.

use std::net::Ipv4Addr;

use crate::component::document::Item;
use crate::component::{NamePattern, Range};
use crate::egress::{EgressOptions, GuardWish};

/// Shorter ranges have no room for a network.
const SUBNETS_PREFIX_MAX: u8 = 28;

pub(super) fn read_network(item: Option<Item<'_>>) -> EgressOptions {
    let base = EgressOptions::default();
    let Some(mut fields) = item.and_then(|item| item.fields()) else {
        return base;
    };
    let words = [("auto", GuardWish::Auto), ("required", GuardWish::Required), ("off", GuardWish::Off)];
    let guard = fields.get("guard").and_then(|item| item.one_of(&words));
    let subnets = fields.filled("subnets").and_then(|item| read_subnets(&item));
    let resolvers = fields.filled("resolvers").map(|item| item.items()).unwrap_or_default();
    let hosts = fields.filled("hosts").map(|item| item.entries()).unwrap_or_default();
    fields.finish();
    EgressOptions {
        guard: guard.unwrap_or(base.guard),
        subnets: subnets.unwrap_or(base.subnets),
        resolvers: resolvers.iter().filter_map(|item| item.parsed(address)).collect(),
        hosts: hosts.iter().filter_map(|(name, item)| read_host(name, item)).collect(),
    }
}

fn read_subnets(item: &Item<'_>) -> Option<Range> {
    let range: Range = item.parsed(str::parse)?;
    if range.prefix() > SUBNETS_PREFIX_MAX {
        item.complain_with("has no room for networks", format!("a range of /{SUBNETS_PREFIX_MAX} or larger"));
        return None;
    }
    if range.prefix() < 8 || range.first().is_loopback() || range.first().is_multicast() {
        item.complain("not a range that networks can be cut out of");
        return None;
    }
    Some(range)
}

fn address(text: &str) -> Result<Ipv4Addr, &'static str> {
    text.parse().map_err(|_not_one| "expected an IPv4 address such as 10.1.2.3")
}

/// A name with the address that it is taken for.
fn read_host(name: &str, item: &Item<'_>) -> Option<(String, Ipv4Addr)> {
    let pattern: Result<NamePattern, _> = name.parse();
    if let Err(error) = &pattern {
        item.complain(format!("{name}: {error}"));
    } else if name.contains('*') {
        item.complain(format!("{name}: one name, not a pattern"));
    }
    let address = item.parsed(address)?;
    Some((name.to_ascii_lowercase(), address))
}
