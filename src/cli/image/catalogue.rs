//! Base images and their versions, as `base-images/*/image.yaml` tell them: our own, and those of the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::exit::{ExitStatus, Trouble, chain};
use crate::component::document::{self, Item, Report};
use crate::component::{Complaints, ReadError, read_text};

/// The bases that this program came with.
const OURS: [(&str, &str); 4] = [
    ("base-images/debian/image.yaml", include_str!("../../../base-images/debian/image.yaml")),
    ("base-images/python/image.yaml", include_str!("../../../base-images/python/image.yaml")),
    ("base-images/r/image.yaml", include_str!("../../../base-images/r/image.yaml")),
    ("base-images/shell/image.yaml", include_str!("../../../base-images/shell/image.yaml")),
];

/// Where a project has bases of its own.
const FOLDER: &str = "base-images";

/// A base image, its current version and those that should not be used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseFamily {
    /// Repository without a tag.
    pub(super) image: String,
    pub(super) version: String,
    pub(super) note: String,
    pub(super) superseded: Vec<Superseded>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superseded {
    pub(super) version: String,
    /// With its tag.
    pub(super) successor: String,
    pub(super) why: String,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CatalogueError {
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    #[error("{0}")]
    Invalid(Complaints),
}

pub(super) fn trouble(error: &CatalogueError) -> Trouble {
    let messages = match error {
        CatalogueError::Unreadable(_) => vec![chain(error)],
        CatalogueError::Invalid(complaints) => complaints.0.iter().map(ToString::to_string).collect(),
    };
    Trouble { status: ExitStatus::User, messages, hint: None }
}

/// All bases that are known. Where the project and this program both know one, the project's word counts. Blocking.
pub(super) fn load(project: &Path) -> Result<Vec<BaseFamily>, CatalogueError> {
    let mut families = Vec::new();
    for path in files(&project.join(FOLDER))? {
        let text = read_text(&path)?;
        families.push(parse(&text, &path.to_string_lossy()).map_err(CatalogueError::Invalid)?);
    }
    for (file, text) in OURS {
        let ours = parse(text, file).map_err(CatalogueError::Invalid)?;
        if !families.iter().any(|family| family.image == ours.image) {
            families.push(ours);
        }
    }
    Ok(families)
}

/// Every `image.yaml` one folder down, by name. An absent folder has none.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let unreadable = |error| ReadError::of(folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path().join("image.yaml");
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn parse(text: &str, file: &str) -> Result<BaseFamily, Complaints> {
    let node = document::parse(text, file)?;
    let report = Report::new(file);
    let family = read_family(&Item::root(&node, "", &report));
    Complaints::check(family, report.into_complaints())
}

fn read_family(item: &Item<'_>) -> Option<BaseFamily> {
    let mut fields = item.fields()?;
    let image = fields.required("image").and_then(|item| item.text());
    let version = fields.required("version").and_then(|item| item.text());
    let note = fields.get("note").and_then(|item| item.text()).unwrap_or_default();
    let superseded = fields.get("superseded").map_or_else(Vec::new, |item| {
        item.entries().into_iter().filter_map(|(version, item)| read_superseded(version, &item)).collect()
    });
    fields.finish();
    Some(BaseFamily {
        image: image?.to_owned(),
        version: version?.to_owned(),
        note: note.to_owned(),
        superseded,
    })
}

fn read_superseded(version: &str, item: &Item<'_>) -> Option<Superseded> {
    let mut fields = item.fields()?;
    let successor = fields.required("successor").and_then(|item| item.text());
    let why = fields.get("why").and_then(|item| item.text()).unwrap_or_default();
    fields.finish();
    Some(Superseded { version: version.to_owned(), successor: successor?.to_owned(), why: why.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_bases_are_readable_and_no_current_version_is_superseded() {
        let families = load(Path::new("/nowhere")).unwrap();
        assert_eq!(families.len(), OURS.len());
        for family in families {
            assert!(!family.superseded.iter().any(|old| old.version == family.version), "{family:?}");
            assert!(!family.note.is_empty(), "{family:?}");
        }
    }

    #[test]
    fn a_project_has_bases_of_its_own_and_the_last_word_on_ours() {
        let project = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let folder = project.path().join("base-images").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("image.yaml"), text).unwrap();
        };
        write(
            "acme",
            "image: acme/base\nversion: '2'\nsuperseded: {'1': {successor: 'acme/base:2', why: old}}\n",
        );
        write("python", "image: longshore/python\nversion: ours\n");
        let families = load(project.path()).unwrap();
        let acme = BaseFamily {
            image: "acme/base".into(),
            version: "2".into(),
            note: String::new(),
            superseded: vec![Superseded {
                version: "1".into(),
                successor: "acme/base:2".into(),
                why: "old".into(),
            }],
        };
        assert_eq!(families[0], acme);
        let pythons: Vec<_> = families.iter().filter(|family| family.image == "longshore/python").collect();
        assert!(matches!(pythons[..], [python] if python.version == "ours"), "{pythons:?}");
        write("acme", "image: acme/base\nversoin: '2'\n");
        let error = load(project.path()).unwrap_err().to_string();
        assert!(error.contains("image.yaml:2:1") && error.contains("version"), "{error}");
    }
}
