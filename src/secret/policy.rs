//! What a project allows, and the keys it has.

use super::Keyring;

/// What becomes of plain values under `#` keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PlainPolicy {
    /// They are used as they are, and sealed before anything of them is stored.
    #[default]
    Accept,
    /// They are mistakes of the configuration.
    Refuse,
}

/// What is wrong with a plain value where they are refused.
pub(crate) const PLAIN_REFUSED: &str =
    "is a secret in plain text, which `secrets.plain: refuse` (the default of a service) does not accept";

/// What becomes of outputs that hold a secret of their job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LeakPolicy {
    Ignore,
    /// Published, and the job ends as `warning`.
    #[default]
    Warn,
    /// Not published: the job fails.
    Block,
}

/// How a runner treats secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretRules {
    pub(crate) keyring: Keyring,
    pub(crate) plain: PlainPolicy,
    pub(crate) in_outputs: LeakPolicy,
}
