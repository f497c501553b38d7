//! Secrets at rest: keys, and values sealed to them. A sealed value is text that stands under a `#` key in the place of
//! the plain one; it opens only in a configuration of the component (and, where it says so, with the id) it was made for.
//!
//! Knows documents as JSON values and no more of them. The ciphers are those of age (<https://c2sp.org/age>).

mod document;
mod dump;
mod envelope;
mod error;
mod file;
mod key;
mod keyring;
mod policy;

pub(crate) use document::{
    is_plain, is_secret_key, open_values, plain_values, replace_values, seal_values, sealed_values,
    weigh_values, wipe_values,
};
pub(crate) use dump::keep_out_of_core_dumps;
pub(crate) use envelope::{Binding, is_sealed, open, reseal, seal};
pub(crate) use error::{KeyError, OpenError, ResealError, SealError};
pub(crate) use key::{Generated, Keys};
pub(crate) use keyring::Keyring;
pub(crate) use policy::{LeakPolicy, PLAIN_REFUSED, PlainPolicy, SecretRules};

#[cfg(test)]
mod tests;
