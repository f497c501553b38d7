//! A text that may hold a password: written in place, or in a file of its own that only the service can read.

use std::path::Path;

use crate::component::document::{Fields, Item};
use crate::component::read_text;
use crate::job::Hidden;

/// The text under `key`, or the content of the file that `file_key` names, relative to `folder` and without the line end
/// that editors add. Blocking.
pub(super) fn read_secret(
    fields: &mut Fields<'_>,
    (key, file_key): (&'static str, &'static str),
    folder: &Path,
) -> Option<Hidden> {
    let (text, file) = (fields.filled(key), fields.filled(file_key));
    match (text, file) {
        (Some(_text), Some(file)) => {
            file.complain(format!("`{key}` is there too: give one of the two"));
            None
        }
        (Some(text), None) => text.text().map(Hidden::new),
        (None, Some(file)) => read_file(&file, folder),
        (None, None) => None,
    }
}

/// As [`read_secret`], complaining where neither is there.
pub(super) fn require_secret(
    fields: &mut Fields<'_>,
    keys: (&'static str, &'static str),
    folder: &Path,
) -> Option<Hidden> {
    let is_given = fields.get(keys.0).is_some() || fields.get(keys.1).is_some();
    if !is_given {
        fields.item.complain(format!("`{}` (or `{}`) is missing", keys.0, keys.1));
    }
    read_secret(fields, keys, folder)
}

fn read_file(item: &Item<'_>, folder: &Path) -> Option<Hidden> {
    let text = item.parsed(|path| read_text(&folder.join(path)))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        item.complain("the file is empty");
        return None;
    }
    Some(Hidden::new(secret))
}

/// An address that begins with one of `schemes` and names a host. It is never repeated: it may hold a password.
pub(super) fn has_address(address: &str, schemes: &[&str]) -> bool {
    let rest = schemes.iter().find_map(|scheme| address.strip_prefix(scheme)?.strip_prefix("://"));
    let is_printable = !address.chars().any(|c| c.is_whitespace() || c.is_control());
    is_printable && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}
