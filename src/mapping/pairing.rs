//! Pairs the entries of an output folder with their manifests.

use std::collections::{HashMap, HashSet};

use super::beneath::{Entry, EntryKind, OutputFolder, PlainFile, UnsafeError};
use super::collect::CollectError;
use super::manifest::SUFFIX;

/// One output with what is said of it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    /// As people know it: `out/tables/orders.csv`.
    pub(super) shown: String,
    pub(super) kind: EntryKind,
    pub(super) manifest: Option<PlainFile>,
}

/// All pairs of one folder in the order of names.
#[derive(Debug, Default)]
pub(super) struct Paired {
    pub(super) pairs: Vec<Pair>,
    /// Names that are there but were refused.
    pub(super) refused: Vec<String>,
}

/// Lists a folder; a manifest that stands alone and everything unsafe becomes an error.
pub(super) fn pair(folder: &OutputFolder, errors: &mut Vec<CollectError>) -> Paired {
    let (entries, problems) = folder.entries();
    let refused: Vec<String> =
        problems.iter().filter_map(|problem| refused_name(&folder.shown, problem)).collect();
    errors.extend(problems.into_iter().map(CollectError::from));
    let mut manifests: HashMap<String, PlainFile> = HashMap::new();
    let mut pairs = Vec::new();
    for Entry { name, kind } in entries {
        let shown = format!("{}/{name}", folder.shown);
        match (name.strip_suffix(SUFFIX), kind) {
            (Some(of), EntryKind::File(file)) => {
                manifests.insert(of.to_owned(), file);
            }
            (Some(_), EntryKind::Folder) => {
                errors.push(UnsafeError::NotAFile { path: shown, what: "folder" }.into());
            }
            (None, kind) => pairs.push(Pair { name, shown, kind, manifest: None }),
        }
    }
    for pair in &mut pairs {
        pair.manifest = manifests.remove(&pair.name);
    }
    let there: HashSet<&str> = refused.iter().map(String::as_str).collect();
    let mut orphaned: Vec<(String, PlainFile)> =
        manifests.into_iter().filter(|(of, _)| !there.contains(of.as_str())).collect();
    orphaned.sort_by(|(one, _), (other, _)| one.cmp(other));
    errors.extend(
        orphaned
            .into_iter()
            .map(|(missing, file)| CollectError::OrphanedManifest { path: file.shown, missing }),
    );
    Paired { pairs, refused }
}

fn refused_name(folder: &str, problem: &UnsafeError) -> Option<String> {
    let path = match problem {
        UnsafeError::NotAFile { path, .. }
        | UnsafeError::NotAFolder { path, .. }
        | UnsafeError::Sparse { path, .. }
        | UnsafeError::TooLarge { path, .. }
        | UnsafeError::TableTooLarge { path, .. }
        | UnsafeError::Unreadable { path }
        | UnsafeError::Io { path, .. } => path,
        UnsafeError::NameNotUtf8 { .. }
        | UnsafeError::NameControl { .. }
        | UnsafeError::NameTooLong { .. }
        | UnsafeError::CaseCollision { .. }
        | UnsafeError::TooMany { .. } => return None,
    };
    path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned)
}
