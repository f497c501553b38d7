//! The data that a component's developer put beside its spec to certify it with.

use std::io;
use std::path::{Path, PathBuf};

use crate::component::Component;
use crate::job::TableId;

/// A configuration and tables: `certify/<id>/` beside the spec, or `certify/` itself where a folder has one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// `configuration.yaml`, `.yml` or `.json`.
    pub(crate) configuration: Option<PathBuf>,
    /// `tables/<table>.csv`, by name.
    pub(crate) tables: Vec<(TableId, PathBuf)>,
}

/// The sample of a component, if there is one. Files of `tables/` whose names are no tables are passed over. Blocking.
pub(crate) fn find_sample(component: &Component) -> io::Result<Option<Sample>> {
    let Some(folder) = component.spec_path.parent() else { return Ok(None) };
    let shared = folder.join("certify");
    let own = shared.join(component.id.as_str());
    for place in [own, shared] {
        let sample = read_sample(&place)?;
        if sample != Sample::default() {
            return Ok(Some(sample));
        }
    }
    Ok(None)
}

fn read_sample(place: &Path) -> io::Result<Sample> {
    let names = ["yaml", "yml", "json"].map(|extension| place.join(format!("configuration.{extension}")));
    let configuration = names.into_iter().find(|path| path.is_file());
    let mut tables = Vec::new();
    let entries = match std::fs::read_dir(place.join("tables")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sample { configuration, tables }),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let is_csv = path.extension().is_some_and(|extension| extension == "csv");
        let table = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(table)) = (is_csv, table) {
            tables.push((table, path));
        }
    }
    tables.sort_by(|(_, one), (_, other)| one.cmp(other));
    Ok(Sample { configuration, tables })
}
