//! Whom the host asks for names, as far as containers ask the same.

use std::net::Ipv4Addr;

use super::EgressOptions;

/// A stub on the host's loopback keeps the true ones in the second file; the engine looks there too.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The resolvers that containers on a bridge must reach. Without any the engine asks public ones.
pub(super) async fn resolvers(options: &EgressOptions) -> Vec<Ipv4Addr> {
    if !options.resolvers.is_empty() {
        return options.resolvers.clone();
    }
    for file in FILES {
        let text = tokio::fs::read_to_string(file).await.unwrap_or_default();
        let found = named(&text);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The nameservers of a `resolv.conf` that can be reached from outside the host.
fn named(text: &str) -> Vec<Ipv4Addr> {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = servers.filter_map(|server| server.trim().parse::<Ipv4Addr>().ok());
    let mut addresses: Vec<_> = addresses.filter(|address| !address.is_loopback()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_on_the_loopback_and_other_versions_do_not_count() {
        let text = "# x\nnameserver 127.0.0.53\n nameserver\t10.0.0.2 \nnameserver fd00::1\nsearch a\nnameserver 1.1.1.1\nnameserver 10.0.0.2\n";
        assert_eq!(named(text), [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(10, 0, 0, 2)]);
    }
}
