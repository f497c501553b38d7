//! The folder of specs: find one by its id or path, or list them all. Blocking; call it off the async threads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{has_extension, most_like};
use super::{Complaints, Component, Presets, ReadError, parse_spec, read_text};
use crate::job::ComponentId;

/// Why a component could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("component {id} not found in {folder}{hint}", folder = .folder.display(), hint = hint(.similar.as_deref()))]
    NotFound { id: String, folder: PathBuf, similar: Option<String> },
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error("{0}")]
    Invalid(Complaints),
}

fn hint(similar: Option<&str>) -> String {
    similar.map_or_else(
        || " (longshore component ls lists what is there)".to_owned(),
        |id| format!(" (did you mean {id}?)"),
    )
}

/// One spec of the folder.
#[derive(Debug)]
pub(crate) struct ListedSpec {
    pub component: Result<Component, LoadError>,
}

/// The component of `argument`: a path of a spec, or the id of one in the folder.
pub(crate) fn load(argument: &str, folder: &Path, presets: &Presets) -> Result<Component, LoadError> {
    let is_path = argument.contains('/') || is_spec(argument);
    if is_path || ComponentId::parse(argument).is_err() {
        return load_file(Path::new(argument), presets);
    }
    for extension in ["yaml", "yml", "json"] {
        let path = folder.join(format!("{argument}.{extension}"));
        if path.is_file() {
            return load_file(&path, presets);
        }
    }
    // A folder that cannot be listed has no suggestions; that the component is not there stays the news.
    let paths = spec_paths(folder).unwrap_or_default();
    let stems: Vec<&str> = paths.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let similar = most_like(argument, &stems).map(str::to_owned);
    Err(LoadError::NotFound { id: argument.to_owned(), folder: folder.to_owned(), similar })
}

/// Every spec of the folder by name, the broken ones with what is wrong. An absent folder has none.
pub(crate) fn list_specs(folder: &Path, presets: &Presets) -> Result<Vec<ListedSpec>, LoadError> {
    let paths = match spec_paths(folder) {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => {
            return Err(ReadError::of(folder, source).into());
        }
    };
    let list = |path: PathBuf| ListedSpec { component: load_file(&path, presets) };
    Ok(paths.into_iter().map(list).collect())
}

fn load_file(path: &Path, presets: &Presets) -> Result<Component, LoadError> {
    let text = read_text(path)?;
    parse_spec(&text, &path.to_string_lossy(), presets).map_err(LoadError::Invalid)
}

fn spec_paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_spec(&path.to_string_lossy()) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_spec(file: &str) -> bool {
    has_extension(file, &["yaml", "yml", "json"])
}
