//! Which image a component runs: its reference, the policy that keeps it fresh, and making sure that it is there.
//!
//! Decides about images; never runs one. A job runs by the resolved id, never by the tag. [`Keeper`] is the one door:
//! it asks registries and the engine, and remembers in the catalog what a reference was found to mean.

mod build;
mod built;
mod challenge;
mod credentials;
mod docker_config;
mod error;
mod fetch;
mod flights;
mod keeper;
mod master;
mod patience;
mod reference;
mod registry;
mod registry_error;
mod release;
mod resolved;
mod retry_after;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use build::{BuildOptions, BuildSource, BuildTrouble, GitCredential, GitOptions};
pub(crate) use credentials::{RegistryAccess, RegistryOptions};
pub(crate) use error::ImageError;
pub(crate) use keeper::{AskedImage, Keeper, KeeperOptions};
pub(crate) use reference::{ImageReference, ReferenceError};
pub(crate) use resolved::ResolvedImage;
