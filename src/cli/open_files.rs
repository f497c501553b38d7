//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes what the system would give anyway: the usual soft limit of 1024 is for programs that use `select(2)`, and one
/// component that opens connections to its relay or its log listener would take it away from all others.
pub(super) fn take_all_that_may_be_had() -> std::io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
