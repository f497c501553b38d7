//! Small subnets for networks of single jobs.

use std::net::Ipv4Addr;

use super::guard::{OWN_INTERFACE, SHARED_INTERFACE};
use crate::component::Range;

const ROUTES: &str = "/proc/net/route";

/// Eight addresses: the network's own, the gateway, the container, and room for an engine that wants more.
pub(crate) const PREFIX: u8 = 29;
/// The host may have routes to a part of the range, and other jobs have theirs.
pub(super) const TRIES_MAX: usize = 64;

/// Subnets to try, in a random order, since workers of one host do not ask each other; none that overlaps a route of
/// the host.
pub(super) fn candidates(range: Range, routes: &[Range]) -> Vec<Range> {
    let count = 1_u32 << (PREFIX.saturating_sub(range.prefix())).min(31);
    let start = fastrand::u32(0..count);
    let nth = |step: u32| {
        let index = (start + step) % count;
        Range::around(Ipv4Addr::from_bits(range.first().to_bits() + index * 8), PREFIX)
    };
    let is_free = |subnet: &Range| !routes.iter().any(|route| route.overlaps(*subnet));
    // A range with fewer addresses than a subnet has none to give.
    let steps = if range.prefix() > PREFIX { 0 } else { count };
    (0..steps).map(nth).filter(is_free).take(TRIES_MAX).collect()
}

/// The host's address in a subnet: the first after the network's own.
pub(super) fn gateway(subnet: Range) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.first().to_bits() + 1)
}

/// Where the host sends packets otherwise than by default.
pub(super) async fn routes() -> Vec<Range> {
    let table = tokio::fs::read_to_string(ROUTES).await.unwrap_or_default();
    parse(&table).into_iter().map(|(_device, range)| range).collect()
}

/// Whether an address lies behind a bridge of ours, where other jobs are. Reads what the kernel has in memory.
pub(super) fn is_ours(address: Ipv4Addr) -> bool {
    let table = std::fs::read_to_string(ROUTES).unwrap_or_default();
    let is_ours = |device: &str| device == SHARED_INTERFACE || device.starts_with(OWN_INTERFACE);
    parse(&table).iter().any(|(device, range)| is_ours(device) && range.contains(address))
}

/// Columns of `/proc/net/route`: device, destination, gateway, flags, …, mask (eighth), numbers in hexadecimal with the
/// last byte first.
fn parse(table: &str) -> Vec<(&str, Range)> {
    fn route(line: &str) -> Option<(&str, Range)> {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(columns.get(index)?, 16).ok().map(u32::swap_bytes);
        let (first, mask) = (number(1)?, number(7)?);
        let prefix = u8::try_from(mask.leading_ones()).ok()?;
        (prefix > 0).then(|| (columns[0], Range::around(Ipv4Addr::from_bits(first), prefix)))
    }
    table.lines().filter_map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_but_for_the_default() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     br0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(parse(table), [("br0", "172.18.0.0/16".parse().unwrap())]);
    }

    #[test]
    fn subnets_lie_within_the_range_and_beside_the_routes() {
        let range: Range = "198.18.0.0/28".parse().unwrap();
        let route: Range = "198.18.0.10".parse().unwrap();
        let expected: Range = "198.18.0.0/29".parse().unwrap();
        assert_eq!(candidates(range, &[route]), [expected]);
        assert_eq!(gateway(expected), Ipv4Addr::new(198, 18, 0, 1));
        assert_eq!(candidates("198.18.0.0/15".parse().unwrap(), &[]).len(), TRIES_MAX);
        assert_eq!(candidates("198.18.0.0/30".parse().unwrap(), &[]), []);
    }
}
