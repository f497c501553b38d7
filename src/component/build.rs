//! `image.build`: what an image is built from. Whatever can be wrong with it by its text alone is said here.

use super::document::{Fields, Item};
use super::git_address::GitAddress;
use super::source::{BuildContext, ImageSource, Policy, Stale};

pub(super) fn read_build(item: &Item<'_>, policy: Policy, stale: Stale) -> Option<ImageSource> {
    let mut fields = item.fields()?;
    let context = read_context(&mut fields);
    let dockerfile = match fields.filled("dockerfile") {
        Some(item) => read_inner_path(&item),
        None => Some("Dockerfile".to_owned()),
    };
    let args = fields.get("args").map(|item| read_args(&item)).unwrap_or_default();
    if let Some(secrets) = fields.get("secrets") {
        secrets.complain_with(
            "build secrets are not offered: this builder would leave them in the image",
            "fetch what needs them at run time, or build the image elsewhere and name it with `image.uri`",
        );
    }
    fields.finish();
    Some(ImageSource::Build { context: context?, dockerfile: dockerfile?, args, policy, stale })
}

fn read_context(fields: &mut Fields<'_>) -> Option<BuildContext> {
    let git = fields.filled("git");
    let path = fields.filled("path");
    let reference = fields.filled("ref");
    let folder = fields.filled("context");
    match (git, path) {
        (Some(git), None) => {
            let address = git.parsed(str::parse::<GitAddress>);
            let reference = reference.and_then(|item| read_reference(&item));
            let folder = folder.and_then(|item| read_inner_path(&item)).filter(|folder| !folder.is_empty());
            Some(BuildContext::Git { url: address?.as_str().to_owned(), reference, folder })
        }
        (None, Some(path)) => {
            for item in [reference, folder].into_iter().flatten() {
                item.complain("means something only with `git`");
            }
            Some(BuildContext::Folder { path: path.text()?.to_owned() })
        }
        (None, None) => {
            fields.item.complain("`git` or `path` is missing");
            None
        }
        (Some(_git), Some(path)) => {
            path.complain("a build has either `git` or `path`, not both");
            None
        }
    }
}

/// Git's rules for names, and none that git would take for an option or an expression.
fn read_reference(item: &Item<'_>) -> Option<String> {
    let text = item.text_or_number()?;
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    // Lower case only: `.LOCK` is a name like others to git.
    let is_locks = |part: &str| part.as_bytes().ends_with(b".lock");
    let is_part_bad = |part: &str| part.is_empty() || part.starts_with('.') || is_locks(part);
    let is_illegal = text.starts_with('-')
        || text.ends_with('.')
        || text.contains("..")
        || text.contains("@{")
        || text.chars().any(is_bad)
        || text.split('/').any(is_part_bad);
    if is_illegal {
        item.complain("not the name of a branch, tag or commit");
        return None;
    }
    Some(text)
}

/// A path below the context, without `.` parts.
fn read_inner_path(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if text.starts_with('/') || parts.contains(&"..") || text.contains(char::is_control) {
        item.complain("expected a path below the source, without `..`");
        return None;
    }
    Some(parts.join("/"))
}

fn read_args(item: &Item<'_>) -> Vec<(String, String)> {
    let mut args = Vec::new();
    for (key, item) in item.entries() {
        if key.starts_with('#') {
            item.complain_with(
                "a build argument is no place for a secret: everybody who has the image can read it",
                "fetch what needs it at run time",
            );
        } else if let Some(value) = item.text_or_number() {
            args.push((key.to_owned(), value));
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::component::{Presets, parse_spec};

    fn read(build: &str) -> Result<ImageSource, String> {
        let text = format!("id: built\nimage: {{policy: master, build: {build}}}\n");
        let component = parse_spec(&text, "built.yaml", &Presets::default());
        component.map(|component| component.image).map_err(|complaints| complaints.to_string())
    }

    #[test]
    fn a_build_names_its_source_and_what_to_do_with_it() {
        let text = "{git: 'https://example.com/a.git', ref: 1.0, context: ./b//c/, dockerfile: d/Dockerfile, \
                    args: {A: x, B: 2}}";
        let expected = ImageSource::Build {
            context: BuildContext::Git {
                url: "https://example.com/a.git".into(),
                reference: Some("1.0".into()),
                folder: Some("b/c".into()),
            },
            dockerfile: "d/Dockerfile".into(),
            args: vec![("A".into(), "x".into()), ("B".into(), "2".into())],
            policy: Policy::Master,
            stale: Stale::Allow,
        };
        assert_eq!(read(text), Ok(expected));
        let context = BuildContext::Folder { path: "../x".into() };
        let expected = ImageSource::Build {
            context,
            dockerfile: "Dockerfile".into(),
            args: Vec::new(),
            policy: Policy::Master,
            stale: Stale::Allow,
        };
        assert_eq!(read("{path: ../x}"), Ok(expected));
    }

    #[rstest]
    #[case("{git: 'ext::sh -c touch% /tmp/x'}", "image.build.git: not an address of a git repository")]
    #[case("{git: '--upload-pack=x'}", "begins with a dash")]
    #[case("{git: 'https://me:secret@example.com/x'}", "under `git.credentials`")]
    #[case("{git: 'https://h/x', ref: '--upload-pack=x'}", "image.build.ref: not the name")]
    #[case("{git: 'https://h/x', ref: 'a..b'}", "image.build.ref: not the name")]
    #[case("{git: 'https://h/x', context: ../y}", "image.build.context: expected a path below")]
    #[case("{git: 'https://h/x', dockerfile: /etc/passwd}", "image.build.dockerfile: expected a path below")]
    #[case("{git: 'https://h/x', args: {'#token': x}}", "no place for a secret")]
    #[case("{git: 'https://h/x', secrets: [x]}", "build secrets are not offered")]
    fn what_a_build_must_not_be_is_refused(#[case] build: &str, #[case] words: &str) {
        let said = read(build).unwrap_err();
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("me:secret"), "{said}");
    }
}
