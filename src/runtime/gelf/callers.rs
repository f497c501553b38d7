//! Who may send.

use std::net::IpAddr;

/// The addresses of one network but its gateway's: that is where the door is, and what processes of this machine call from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Callers {
    pub network: IpAddr,
    /// Leading bits that an address of the network shares.
    pub prefix: u8,
}

impl Callers {
    /// Whether somebody who calls the door at `door` from `caller` is the job's own container.
    pub(super) fn may_call(self, caller: IpAddr, door: IpAddr) -> bool {
        caller.to_canonical() != door.to_canonical() && self.contains(caller.to_canonical())
    }

    fn contains(self, address: IpAddr) -> bool {
        let shift = |width: u32| width.saturating_sub(u32::from(self.prefix));
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.1.2.0", 30, "10.1.2.2", true)]
    #[case("10.1.2.0", 30, "10.1.2.4", false)]
    #[case("10.1.2.0", 30, "10.1.2.1", false)]
    #[case("10.1.2.0", 32, "10.1.2.0", true)]
    #[case("10.1.2.0", 0, "192.168.0.1", true)]
    #[case("10.1.2.0", 24, "::ffff:10.1.2.9", true)]
    #[case("10.1.2.0", 24, "fd00::2", false)]
    #[case("fd00::", 64, "fd00::2", true)]
    #[case("fd00::", 64, "fd00:0:0:1::2", false)]
    fn only_the_network_of_the_job_may_call(
        #[case] network: IpAddr,
        #[case] prefix: u8,
        #[case] caller: IpAddr,
        #[case] may: bool,
    ) {
        assert_eq!(Callers { network, prefix }.may_call(caller, "10.1.2.1".parse().unwrap()), may);
    }
}
