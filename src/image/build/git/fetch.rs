//! One commit with its files, into a bare repository of our own.

use std::time::Duration;

use super::{Git, GitError};

const FETCH_LIMIT: Duration = Duration::from_secs(900);
const LOCAL_LIMIT: Duration = Duration::from_secs(60);

/// Fetches `commit` into the folder, as little of its history as the server lets us.
pub(in crate::image::build) async fn fetch(git: &Git<'_>, commit: &str) -> Result<(), GitError> {
    let format = if commit.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    git.run(&["init", "--quiet", "--bare", "--template=", format, "."], LOCAL_LIMIT).await?;
    let address = git.address.as_str();
    let common = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
    ];
    let one = [&common[..], &["--depth=1", "--", address, commit]].concat();
    let refused = match git.run(&one, FETCH_LIMIT).await {
        Ok(_said) => return has(git, commit).await,
        Err(error) => error,
    };
    match refused {
        // An old server gives only what a branch or tag points to, or knows no depth: then all of them, with their history.
        GitError::Unreachable { .. } | GitError::NotFound { .. } => {}
        GitError::Address(_)
        | GitError::FilesForbidden { .. }
        | GitError::NotInstalled { .. }
        | GitError::Denied { .. }
        | GitError::NoSuchRef { .. }
        | GitError::Ambiguous { .. }
        | GitError::NoSuchCommit { .. }
        | GitError::TooLarge { .. }
        | GitError::Silent { .. }
        | GitError::Io { .. } => return Err(refused),
    }
    let all =
        [&common[..], &["--", address, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]].concat();
    git.run(&all, FETCH_LIMIT).await?;
    has(git, commit).await
}

async fn has(git: &Git<'_>, commit: &str) -> Result<(), GitError> {
    let found = git.run(&["cat-file", "-e", &format!("{commit}^{{commit}}")], LOCAL_LIMIT).await;
    found.map(drop).map_err(|_absent| GitError::NoSuchCommit {
        repository: git.address.to_string(),
        commit: commit.to_owned(),
    })
}
