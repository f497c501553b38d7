//! Git, by its own program and on a short leash: no hooks, no helpers, no configuration but ours, no questions, no
//! checkout. What a repository holds is read from its objects, so that nothing in it can be followed or run.

mod command;
mod error;
mod fetch;
mod options;
mod refs;
mod tree;

pub(super) use command::Git;
pub(super) use error::GitError;
pub(super) use fetch::fetch;
pub(crate) use options::{GitCredential, GitOptions};
pub(super) use refs::resolve;
pub(super) use tree::{ObjectReader, Objects, list};
