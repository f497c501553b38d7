//! What the settings say about git.

use std::path::PathBuf;

use crate::component::GitAddress;
use crate::job::Hidden;

/// A repository, and what is built of it, may be this large.
pub(crate) const SIZE_MAX_DEFAULT: u64 = 1 << 30;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitOptions {
    /// Whether repositories of this machine's own files may be used.
    pub(crate) allow_file: bool,
    /// Of the packed commit and of the context, each.
    pub(crate) size_max_bytes: u64,
    pub(crate) credentials: Vec<GitCredential>,
    /// Variables git gets beside ours: where programs lie, proxies. Nothing else of the process' environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// How one host is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitCredential {
    /// `host` or `host:port`.
    pub(crate) host: String,
    pub(crate) username: String,
    /// For https.
    pub(crate) token: Option<Hidden>,
    /// For ssh.
    pub(crate) ssh_key_file: Option<PathBuf>,
    /// The keys the host may have, beside those the system knows.
    pub(crate) known_hosts_file: Option<PathBuf>,
    /// A certificate authority of the host's own.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Default for GitOptions {
    fn default() -> Self {
        Self {
            allow_file: false,
            size_max_bytes: SIZE_MAX_DEFAULT,
            credentials: Vec::new(),
            environment: Vec::new(),
        }
    }
}

impl GitOptions {
    pub(super) fn credential(&self, address: &GitAddress) -> Option<&GitCredential> {
        self.credentials.iter().find(|credential| credential.host == address.authority())
    }
}
