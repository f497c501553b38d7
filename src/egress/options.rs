//! What is set about the networks of components.

use std::net::Ipv4Addr;

use crate::component::Range;

/// Reserved for benchmarks of network devices (RFC 2544): nobody routes it, and no engine gives it out by itself.
const SUBNETS_DEFAULT: Range = Range::around(Ipv4Addr::new(198, 18, 0, 0), 15);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EgressOptions {
    pub guard: GuardWish,
    /// Networks of single jobs are cut out of this range.
    pub subnets: Range,
    /// Whom components on a bridge ask for names; nobody set: whom the host asks.
    pub resolvers: Vec<Ipv4Addr>,
    /// Addresses of names in allow lists, before any resolver is asked. Names in lower case.
    pub hosts: Vec<(String, Ipv4Addr)>,
}

/// What happens where netfilter cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuardWish {
    /// A component on a bridge runs all the same, and the job says what is not blocked.
    Auto,
    /// It does not run.
    Required,
    /// Netfilter is left alone.
    Off,
}

impl Default for EgressOptions {
    fn default() -> Self {
        Self { guard: GuardWish::Auto, subnets: SUBNETS_DEFAULT, resolvers: Vec::new(), hosts: Vec::new() }
    }
}
