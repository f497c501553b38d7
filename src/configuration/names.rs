//! File names that a configuration chooses: they stay below the folder they are meant for.

use crate::component::document::Item;

/// What the file system takes for one name, less the `.manifest` that is put beside it.
const NAME_BYTES_MAX: usize = 255 - MANIFEST_SUFFIX.len();
const MANIFEST_SUFFIX: &str = ".manifest";

/// Why a text is not a name of a file below a data folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("an absolute path is not allowed")]
    Absolute,
    #[error("the path must not have empty parts, `.` or `..`")]
    Parts,
    #[error("control characters are not allowed in a name")]
    Control,
    #[error("a name may have at most {NAME_BYTES_MAX} bytes")]
    Long,
    #[error("a name must not end in `.manifest`: that is where the description goes")]
    Manifest,
    #[error("a name of a file directly in the folder is expected, without `/`")]
    Nested,
}

/// A path below a folder, subfolders allowed.
pub(super) fn confine(text: &str) -> Result<String, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.starts_with('/') {
        return Err(NameError::Absolute);
    }
    for part in text.split('/') {
        match part {
            "" | "." | ".." => return Err(NameError::Parts),
            part if part.chars().any(char::is_control) => return Err(NameError::Control),
            part if part.len() > NAME_BYTES_MAX => return Err(NameError::Long),
            part if part.ends_with(MANIFEST_SUFFIX) => return Err(NameError::Manifest),
            _ => {}
        }
    }
    Ok(text.to_owned())
}

/// The name of an entry of `out/tables` or `out/files`.
pub(super) fn entry_name(text: &str) -> Result<String, NameError> {
    let name = confine(text)?;
    if name.contains('/') { Err(NameError::Nested) } else { Ok(name) }
}

/// Refuses a destination that another one is, or lies below, or is a folder of.
pub(super) fn claim_destination<'a>(taken: &mut Vec<(String, Item<'a>)>, name: &str, item: Item<'a>) {
    let is_below =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    let clash =
        taken.iter().find(|(other, _)| other == name || is_below(other, name) || is_below(name, other));
    if let Some((other, first)) = clash {
        let message = if other == name {
            format!("the destination {name} is already taken by {}", first.path)
        } else {
            format!("the destination {name} does not fit beside {other} of {}", first.path)
        };
        item.complain_with(message, "give it another `destination`");
    }
    taken.push((name.to_owned(), item));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        assert_eq!(confine("sub/orders.csv"), Ok("sub/orders.csv".into()));
        for (text, error) in [
            ("", NameError::Empty),
            ("/etc/passwd", NameError::Absolute),
            ("../x", NameError::Parts),
            ("a/../../x", NameError::Parts),
            ("a//b", NameError::Parts),
            ("a/", NameError::Parts),
            (".", NameError::Parts),
            ("a\0b", NameError::Control),
            ("a\nb", NameError::Control),
            ("orders.manifest", NameError::Manifest),
            ("a.manifest/b", NameError::Manifest),
        ] {
            assert_eq!(confine(text), Err(error), "{text:?}");
        }
        assert_eq!(confine(&"x".repeat(250)), Err(NameError::Long));
        assert_eq!(entry_name("a/b"), Err(NameError::Nested));
    }
}
