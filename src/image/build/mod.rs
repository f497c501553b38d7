//! Images built on the fly, from a git repository or a local folder: built once, and found again without a clone.
//!
//! What makes two builds the same is their key: commit or content, folder, Dockerfile, arguments, and the base images as
//! the engine has them. The image bears it as its tag, and in labels what is needed to compute it again.

mod asked;
mod bases;
mod builder;
mod context;
mod dockerfile;
mod error;
mod git;
mod key;
mod log;
mod source;
mod turn;

pub(crate) use asked::Built;
pub(crate) use builder::{BuildOptions, Builds};
pub(crate) use error::{BuildError, BuildTrouble};
pub(crate) use git::{GitCredential, GitOptions};
pub(crate) use source::BuildSource;
