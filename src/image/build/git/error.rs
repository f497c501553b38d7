//! Why git gave nothing.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::component::GitAddressError;
use crate::image::build::error::BuildTrouble;

#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error(transparent)]
    Address(#[from] GitAddressError),
    #[error("the repository {repository} is one of files, which the settings do not allow (git.allow_file)")]
    FilesForbidden { repository: String },
    #[error("git is not installed, and is needed to build from {repository}")]
    NotInstalled { repository: String },
    #[error(
        "the repository {repository} refuses access: {said}; credentials of its host belong under git.credentials in the settings"
    )]
    Denied { repository: String, said: String },
    #[error(
        "the repository {repository} does not exist, or is shown only with credentials (git.credentials in the settings): {said}"
    )]
    NotFound { repository: String, said: String },
    #[error("the repository {repository} has no branch or tag {reference}{hint}")]
    NoSuchRef { repository: String, reference: String, hint: &'static str },
    #[error(
        "{reference} is a branch and a tag of {repository}: write refs/heads/{reference} or refs/tags/{reference}"
    )]
    Ambiguous { repository: String, reference: String },
    #[error("the repository {repository} has no commit {commit}")]
    NoSuchCommit { repository: String, commit: String },
    #[error(
        "the repository {repository} is larger than {limit_bytes} bytes packed (git.size_max in the settings)"
    )]
    TooLarge { repository: String, limit_bytes: u64 },
    #[error("the repository {repository} cannot be reached now: {said}")]
    Unreachable { repository: String, said: String },
    #[error("the repository {repository} did not answer within {} seconds", after.as_secs())]
    Silent { repository: String, after: Duration },
    #[error("cannot {action} {path}", path = .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl GitError {
    /// Whether the repository may answer another time.
    pub(in crate::image::build) fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => true,
            Self::Address(_)
            | Self::FilesForbidden { .. }
            | Self::NotInstalled { .. }
            | Self::Denied { .. }
            | Self::NotFound { .. }
            | Self::NoSuchRef { .. }
            | Self::Ambiguous { .. }
            | Self::NoSuchCommit { .. }
            | Self::TooLarge { .. }
            | Self::Io { .. } => false,
        }
    }

    pub(in crate::image::build) fn trouble(&self) -> BuildTrouble<'static> {
        match self {
            Self::Address(_)
            | Self::FilesForbidden { .. }
            | Self::Ambiguous { .. }
            | Self::TooLarge { .. } => BuildTrouble::Source,
            Self::Denied { .. }
            | Self::NotFound { .. }
            | Self::NoSuchRef { .. }
            | Self::NoSuchCommit { .. } => BuildTrouble::Missing,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => BuildTrouble::DiskFull,
            Self::Unreachable { said, .. } if said.contains("No space left on device") => {
                BuildTrouble::DiskFull
            }
            Self::NotInstalled { .. } | Self::Unreachable { .. } | Self::Silent { .. } | Self::Io { .. } => {
                BuildTrouble::Platform
            }
        }
    }
}

/// Sorts what git said when it failed. It has no codes for this, only these words, which `LC_ALL=C` holds still.
pub(super) fn sort(repository: &str, said: &str, limit_bytes: u64) -> GitError {
    let (repository, words) = (repository.to_owned(), said.to_ascii_lowercase());
    let says = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    let said = told(said);
    if says(&["signal 25", "file too large", "file size limit"]) {
        return GitError::TooLarge { repository, limit_bytes };
    }
    if says(&[
        "could not read username",
        "could not read password",
        "authentication failed",
        "permission denied",
        "host key verification failed",
        "error: 401",
        "error: 403",
        "access denied",
    ]) {
        return GitError::Denied { repository, said };
    }
    if says(&[
        "repository not found",
        "does not exist",
        "does not appear to be a git repository",
        "not found",
    ]) {
        return GitError::NotFound { repository, said };
    }
    GitError::Unreachable { repository, said }
}

/// The lines that tell why, on one line.
fn told(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let why: Vec<&str> =
        lines.clone().filter(|line| line.starts_with("fatal:") || line.starts_with("remote:")).collect();
    let lines: Vec<&str> = if why.is_empty() { lines.collect() } else { why };
    let text = lines.join("; ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(500).collect();
    if text.is_empty() { "git gave no reason".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("fatal: could not read Username for 'https://h': terminal prompts disabled", "denied")]
    #[case("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://h/x/'", "denied")]
    #[case("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", "denied")]
    #[case("Host key verification failed.\nfatal: Could not read from remote repository.", "denied")]
    #[case("fatal: unable to access 'https://h/x/': The requested URL returned error: 403", "denied")]
    #[case("fatal: repository 'https://h/x/' not found", "not found")]
    #[case("fatal: '/srv/x' does not appear to be a git repository", "not found")]
    #[case("fatal: unable to access 'https://h/x/': Could not resolve host: h", "unreachable")]
    #[case("fatal: unable to access 'https://h/x/': Failed to connect to h port 443", "unreachable")]
    #[case("fatal: unable to access 'https://h/x/': The requested URL returned error: 503", "unreachable")]
    #[case("error: index-pack died of signal 25\nfatal: index-pack failed", "too large")]
    #[case("", "unreachable")]
    fn a_failure_is_sorted_by_what_would_help(#[case] said: &str, #[case] kind: &str) {
        let sorted = sort("https://h/x", said, 1);
        let kinds = [
            ("denied", matches!(sorted, GitError::Denied { .. })),
            ("not found", matches!(sorted, GitError::NotFound { .. })),
            ("too large", matches!(sorted, GitError::TooLarge { .. })),
            ("unreachable", sorted.is_unreachable()),
        ];
        let found: Vec<&str> = kinds.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| name).collect();
        assert_eq!(found, [kind], "{sorted}");
    }
}
