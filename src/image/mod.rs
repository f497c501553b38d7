//! Which image a component runs: its reference, the policy that keeps it fresh, and making sure that it is there.
//!
//! Decides about images; never runs one. A job runs by the resolved id, never by the tag.

mod build;
mod ensure;
mod error;
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use build::{BuildError, BuildOptions, BuildSource, Builds, GitCredential, GitError, GitOptions};
pub(crate) use ensure::{ImageOrigin, ResolvedImage, ensure};
pub(crate) use error::ImageError;
pub(crate) use reference::{ImageReference, ReferenceError};
