//! Writes a person's file anew, complete or not at all.

use std::io::{self, Write};
use std::path::Path;

/// Replaces a file, keeping its mode. A link stays one: what it points to is replaced.
pub(super) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}
