//! Tables and files brought in by hand, by the same rules as a job's.

use std::path::{Path, PathBuf};

use super::load::PreparedTable;
use super::progress::ProgressSink;
use super::publish::{Publication, PublishError, commit};
use super::rules::{LoadRules, UploadError};
use super::shelf::{Origin, Shelf};
use super::slicing::{self, Scratch, peek_columns, read_options};
use super::table_plan::is_plausible;
use super::threads::blocking;
use super::upload::{Prepared, Uploading, scratch};
use crate::blob::{BlobStore, Source};
use crate::catalog::{Catalog, NewFile, TableVersion};
use crate::csv::Header;
use crate::job::{FileOptions, Receipt, TableId, TableOptions};

/// Why a file did not become a table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Imports a person's file, which stays as it is, into a table. The file may be a pipe.
pub(crate) async fn import_table(
    path: &Path,
    table: TableId,
    options: TableOptions,
    catalog: &Catalog,
    blob: &BlobStore,
    progress: &ProgressSink,
) -> Result<Receipt, ImportError> {
    let heads = catalog.snapshot(std::slice::from_ref(&table)).await.map_err(UploadError::Catalog)?;
    let head = heads.into_iter().next().flatten();
    let shelf = Shelf::fresh(Origin::Import);
    let scratch = scratch(blob).await?;
    let uploading = Uploading { catalog, blob, progress, shelf: &shelf, scratch: scratch.path() };
    let rules = LoadRules { table, options };
    let converted = convert_file(&uploading, path.to_owned(), &rules, head).await;
    blocking(move || drop(scratch)).await;
    let prepared = match converted {
        Ok(table) => Prepared { tables: vec![table], files: Vec::new(), shelf, origin: Origin::Import },
        Err(error) => {
            // The file's own error is the one to tell; what cannot be removed now is found by the next gc.
            if let Err(leftover) = shelf.clear(blob).await {
                tracing::warn!(error = %leftover, "could not remove an import that failed");
            }
            return Err(error.into());
        }
    };
    Ok(commit(prepared, Publication::default(), catalog, blob).await?)
}

/// Stores a person's file, which stays as it is, under `name`.
pub(crate) async fn import_file(
    path: &Path,
    name: &str,
    options: FileOptions,
    catalog: &Catalog,
    blob: &BlobStore,
) -> Result<Receipt, ImportError> {
    let shelf = Shelf::fresh(Origin::Import);
    let failed = |source| UploadError::Blob { what: path.display().to_string(), source };
    let key = shelf.file(shelf.number()).map_err(failed)?;
    let bytes = blob.put_file(&key, path, Source::Copy).await.map_err(failed)?;
    let file = NewFile {
        blob: key,
        name: name.to_owned(),
        bytes,
        tags: options.tags,
        is_permanent: options.is_permanent,
        is_public: options.is_public,
        is_sliced: false,
    };
    let prepared = Prepared { tables: Vec::new(), files: vec![file], shelf, origin: Origin::Import };
    Ok(commit(prepared, Publication::default(), catalog, blob).await?)
}

/// A file of a person, read into slices of our own; the file stays as it is.
async fn convert_file(
    uploading: &Uploading<'_>,
    path: PathBuf,
    rules: &LoadRules,
    head: Option<TableVersion>,
) -> Result<PreparedTable, UploadError> {
    let shown = path.display().to_string();
    let key = rules.effective_key(head.as_ref())?;
    let mut options = read_options(&shown, &rules.options, None);
    options.key.clone_from(&key);
    let scratch = Scratch { folder: uploading.scratch.to_owned(), stem: "import".into() };
    let (progress, table) = (uploading.progress.clone(), rules.table.clone());
    let check = rules.clone();
    let name = shown.clone();
    let made = blocking(move || {
        let open = || std::fs::File::open(&path);
        let failed = |source| UploadError::Io { action: "open", path: path.clone(), source };
        let mut input = open().map_err(failed)?;
        // Only a plain file can be looked at twice; a pipe is checked while it is read.
        let is_plain = input.metadata().map_err(failed)?.is_file();
        if is_plain
            && options.header == Header::FirstRecord
            && let Some(columns) = peek_columns(&open().map_err(failed)?, options.dialect)
            && is_plausible(&columns)
        {
            check.table_columns(&name, &columns, head.as_ref())?;
            check.check_key(&name, &columns, &options.key)?;
        }
        slicing::convert(&mut input, &options, &scratch, &progress)
            .map_err(|error| UploadError::of_table(error, &table))
    })
    .await?;
    let columns = made.first().map(|slice| slice.facts.columns.clone()).unwrap_or_default();
    let slices = uploading.store(made, Path::new(""), Source::Copy).await?;
    Ok(PreparedTable::new(rules.clone(), shown, columns, key, slices))
}
