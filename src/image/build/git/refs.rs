//! Which commit a branch, tag or commit names, asked of the repository without fetching anything.

use std::time::Duration;

use super::{Git, GitError};

const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The commit that `reference` names; the repository's own default when none is said.
pub(in crate::image::build) async fn resolve(
    git: &Git<'_>,
    reference: Option<&str>,
) -> Result<String, GitError> {
    if let Some(commit) = reference.filter(|reference| is_commit(reference)) {
        return Ok(commit.to_ascii_lowercase());
    }
    let asked = match reference {
        None => vec!["HEAD".to_owned()],
        Some(name) if name.starts_with("refs/") => vec![name.to_owned(), format!("{name}^{{}}")],
        Some(name) => {
            vec![format!("refs/heads/{name}"), format!("refs/tags/{name}"), format!("refs/tags/{name}^{{}}")]
        }
    };
    let mut arguments = vec!["ls-remote", "--quiet", "--", git.address.as_str()];
    arguments.extend(asked.iter().map(String::as_str));
    let said = git.run(&arguments, ANSWER_LIMIT).await?;
    choose(&said, &asked, git.address.as_str(), reference.unwrap_or("HEAD"))
}

/// All the digits of a SHA-1 or SHA-256.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Takes the commit out of lines `id <tab> name`. The names asked for are patterns to git, so others may be among them.
fn choose(said: &str, asked: &[String], repository: &str, reference: &str) -> Result<String, GitError> {
    let commit_of = |name: &str| {
        let mut lines = said.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(id, found)| *found == name && is_commit(id)).map(|(id, _name)| id.to_owned())
    };
    let (repository, reference) = (repository.to_owned(), reference.to_owned());
    let branch = asked.iter().find(|name| name.starts_with("refs/heads/")).and_then(|name| commit_of(name));
    let tag = asked.iter().find(|name| name.starts_with("refs/tags/")).and_then(|name| commit_of(name));
    if branch.is_some() && tag.is_some() {
        return Err(GitError::Ambiguous { repository, reference });
    }
    // The last one asked for is what an annotated tag points to.
    let found = asked.iter().rev().find_map(|name| commit_of(name));
    let is_short_commit = reference.len() >= 7 && reference.chars().all(|c| c.is_ascii_hexdigit());
    let hint = if is_short_commit { " (a commit is named by all its digits)" } else { "" };
    found.ok_or(GitError::NoSuchRef { repository, reference, hint })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[rstest]
    #[case("A\trefs/heads/x\n", Ok(A))]
    #[case("A\trefs/tags/x\nB\trefs/tags/x^{}\n", Ok(B))]
    #[case("A\trefs/tags/x\n", Ok(A))]
    #[case("A\trefs/heads/x\nB\trefs/tags/x\n", Err("refs/heads/x or refs/tags/x"))]
    #[case("A\trefs/other/refs/heads/x\n", Err("no branch or tag x"))]
    #[case("warning: x\n", Err("no branch or tag x"))]
    fn a_name_is_one_branch_or_one_tag(#[case] said: &str, #[case] expected: Result<&str, &str>) {
        let said = said.replace('A', A).replace('B', B);
        let asked = ["refs/heads/x", "refs/tags/x", "refs/tags/x^{}"].map(str::to_owned);
        match (choose(&said, &asked, "https://h/x", "x"), expected) {
            (Ok(commit), Ok(expected)) => assert_eq!(commit, expected),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, _) => panic!("{found:?}"),
        }
    }
}
