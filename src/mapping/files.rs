//! Files in: finds what the mapping asks for before the run, and stages it as `in/files/<id>_<name>`.

use std::collections::HashSet;
use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::data_folder::DataFolder;
use super::manifest;
use super::plan::PlanComplaint;
use super::progress::ProgressSink;
use super::stage::StageError;
use super::state::InputsSeen;
use super::threads::blocking;
use crate::blob::{BlobStore, Delivery};
use crate::catalog::{Catalog, CatalogError, StoredFile};
use crate::job::{ChangedSince, FileId, FileQuery, InputFile, InputMapping};

/// The files that one entry of the mapping asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundFiles {
    pub query: FileQuery,
    pub files: Vec<StoredFile>,
    /// To be put on the files in the job's commit.
    pub processed_tags: Vec<String>,
}

/// A file as the component finds it; kept in the job's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagedFile {
    pub id: FileId,
    /// Below `in/files/`.
    pub name: String,
    pub bytes: u64,
}

/// Asks the catalog for every entry's files. No match is no error, except for files asked for by id.
pub(crate) async fn find_files(
    mapping: &InputMapping,
    seen: &InputsSeen,
    catalog: &Catalog,
) -> Result<(Vec<FoundFiles>, Vec<PlanComplaint>), CatalogError> {
    let mut found = Vec::new();
    let mut complaints = Vec::new();
    for input in &mapping.files {
        let files = matching(input, seen, catalog).await?;
        if let FileQuery::Ids(ids) = &input.query {
            let there: HashSet<FileId> = files.iter().map(|file| file.id).collect();
            for (position, id) in ids.iter().enumerate().filter(|(_, id)| !there.contains(id)) {
                let path = format!("storage.input.files[{}].file_ids[{position}]", input.entry);
                complaints.push(PlanComplaint { path, message: format!("file {id} does not exist") });
            }
        }
        let processed_tags = input.processed_tags.clone();
        found.push(FoundFiles { query: input.query.clone(), files, processed_tags });
    }
    Ok((found, complaints))
}

async fn matching(
    input: &InputFile,
    seen: &InputsSeen,
    catalog: &Catalog,
) -> Result<Vec<StoredFile>, CatalogError> {
    let (newer_than, since) = match input.changed_since {
        None => (None, None),
        Some(ChangedSince::At(moment)) => (None, Some(moment)),
        Some(ChangedSince::LastRun) => (seen.newest_file(&input.query), None),
    };
    let files_max = match &input.query {
        FileQuery::Tags { .. } => input.files_max,
        FileQuery::Ids(ids) => ids.len() as u64,
    };
    catalog.files(&input.query, newer_than, since, files_max).await
}

/// The tags that the job's commit puts on what it has processed.
pub(crate) fn processed_tags(found: &[FoundFiles]) -> Vec<(FileId, Vec<String>)> {
    let tagged = found.iter().filter(|entry| !entry.processed_tags.is_empty());
    tagged.flat_map(|entry| entry.files.iter().map(|file| (file.id, entry.processed_tags.clone()))).collect()
}

/// Stages every found file once, however many entries found it.
pub(crate) async fn stage_files(
    found: &[FoundFiles],
    blob: &BlobStore,
    folder: &DataFolder,
    delivery: Delivery,
    progress: &ProgressSink,
) -> Result<Vec<StagedFile>, StageError> {
    let mut known = HashSet::new();
    let files = found.iter().flat_map(|entry| &entry.files).filter(|file| known.insert(file.id));
    let staging: Vec<_> =
        files.map(|file| stage_file(file.clone(), blob, folder, delivery, progress)).collect();
    stream::iter(staging).buffered(blob.at_once()).try_collect().await
}

async fn stage_file(
    file: StoredFile,
    blob: &BlobStore,
    folder: &DataFolder,
    delivery: Delivery,
    progress: &ProgressSink,
) -> Result<StagedFile, StageError> {
    let name = format!("{}_{}", file.id, plain_name(&file.name));
    let path = folder.input_file(&name);
    let delivered = blob.deliver(&file.blob, &path, delivery).await;
    let bytes = delivered.map_err(|source| StageError::Blob { what: format!("file {}", file.id), source })?;
    progress.bytes(bytes);
    let id = file.id;
    let folder = folder.clone();
    let linked = blob.links(delivery);
    blocking(move || {
        if !linked {
            folder.give(&path)?;
        }
        let mut manifest_path = path.into_os_string();
        manifest_path.push(manifest::SUFFIX);
        folder.write_file(Path::new(&manifest_path), &manifest::input_file(&file))
    })
    .await?;
    Ok(StagedFile { id, name, bytes })
}

/// A stored name was anybody's text; below `in/files/` it is one plain part of a path.
fn plain_name(name: &str) -> String {
    name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect()
}
