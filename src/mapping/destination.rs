//! Which table an output becomes, from what mapping, manifest and file name say. Pure.

use crate::job::{TableId, TableIdError};

/// Why no table could be found for an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DestinationError {
    #[error(
        "{source_path} has no destination: give one in the mapping or the manifest, set a default bucket, \
         or name the file stage.bucket.table.csv"
    )]
    Unresolved { source_path: String },
    #[error(
        "{source_path} names its table only {name:?}: give a full stage.bucket.table or set a default bucket"
    )]
    OnlyAName { source_path: String, name: String },
    #[error("{source_path} cannot become a table of the default bucket: {problem}")]
    BadName { source_path: String, problem: TableIdError },
}

/// In this order: the mapping's full id, the manifest's full id, the manifest's name in the default bucket, a file
/// name that is itself a full id, the file name in the default bucket. `file` is the bare name, `shown` its path.
pub(super) fn resolve(
    mapping: Option<&TableId>,
    manifest: Option<&str>,
    file: &str,
    shown: &str,
    default_bucket: Option<&str>,
) -> Result<TableId, DestinationError> {
    if let Some(table) = mapping {
        return Ok(table.clone());
    }
    let said = manifest.filter(|text| !text.is_empty());
    let stem = said.unwrap_or(file);
    let name = stem.strip_suffix(".csv").unwrap_or(stem);
    // The full text first: a manifest may mean a full id as it stands.
    if let Ok(table) = stem.parse().or_else(|_not_as_it_stands: TableIdError| name.parse()) {
        return Ok(table);
    }
    let source_path = shown.to_owned();
    match (default_bucket, said) {
        (Some(bucket), _) => TableId::in_bucket(bucket, name)
            .map_err(|problem| DestinationError::BadName { source_path, problem }),
        (None, Some(name)) => Err(DestinationError::OnlyAName { source_path, name: name.into() }),
        (None, None) => Err(DestinationError::Unresolved { source_path }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::mapping_wins(Some("in.c-a.m"), Some("in.c-a.n"), "x.csv", Some("in.c-d"), "in.c-a.m")]
    #[case::full_manifest(None, Some("in.c-a.n"), "x.csv", Some("in.c-d"), "in.c-a.n")]
    #[case::manifest_name_in_bucket(None, Some("n.csv"), "in.c-a.x.csv", Some("in.c-d"), "in.c-d.n")]
    #[case::full_file_name_despite_bucket(None, None, "in.c-a.x.csv", Some("in.c-d"), "in.c-a.x")]
    #[case::full_file_name_without_suffix(None, None, "in.c-a.x", None, "in.c-a.x")]
    #[case::a_table_called_csv(None, None, "in.c-a.csv", None, "in.c-a.csv")]
    #[case::file_name_in_bucket(None, None, "x.csv", Some("in.c-d"), "in.c-d.x")]
    #[case::file_name_without_suffix(None, None, "x", Some("in.c-d"), "in.c-d.x")]
    #[case::empty_manifest_says_nothing(None, Some(""), "x.csv", Some("in.c-d"), "in.c-d.x")]
    fn a_destination_is_resolved(
        #[case] mapping: Option<&str>,
        #[case] manifest: Option<&str>,
        #[case] file: &str,
        #[case] bucket: Option<&str>,
        #[case] expected: &str,
    ) {
        let mapping: Option<TableId> = mapping.map(|id| id.parse().unwrap());
        let resolved = resolve(mapping.as_ref(), manifest, file, "out/tables/x", bucket);
        assert_eq!(resolved, Ok(expected.parse().unwrap()));
    }

    #[test]
    fn an_output_without_any_hint_names_the_remedies() {
        let unresolved = resolve(None, None, "x.csv", "out/tables/x.csv", None).unwrap_err();
        assert_eq!(
            unresolved.to_string(),
            "out/tables/x.csv has no destination: give one in the mapping or the manifest, set a default bucket, \
             or name the file stage.bucket.table.csv"
        );
        let only = resolve(None, Some("n"), "in.c-a.x.csv", "out/tables/in.c-a.x.csv", None).unwrap_err();
        assert!(matches!(only, DestinationError::OnlyAName { name, .. } if name == "n"));
        let bad =
            resolve(None, None, "my report.csv", "out/tables/my report.csv", Some("in.c-d")).unwrap_err();
        assert!(matches!(bad, DestinationError::BadName { .. }));
    }
}
