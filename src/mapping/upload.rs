//! Reads every collected output once, checks it, and stores its rows as slices that nobody can see yet.
//! Decides nothing about the rows that are there already: that is [`super::load`].

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use roaring::RoaringBitmap;
use tempfile::TempDir;

use super::collect::{Collected, CollectedFile, CollectedTable};
use super::load::PreparedTable;
use super::progress::ProgressSink;
use super::rules::UploadError;
use super::several::Several;
use super::shelf::{Origin, Shelf};
use super::slicing::{MadeSlice, Scratch};
use super::table_plan::TablePlan;
use super::threads::{at_once, blocking};
use crate::blob::{BlobStore, Source};
use crate::catalog::{Catalog, NewFile, NewSlice, TableVersion};
use crate::job::TableId;

/// Everything one unit will publish: stored, checked, invisible.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) tables: Vec<PreparedTable>,
    pub(super) files: Vec<NewFile>,
    pub(super) shelf: Shelf,
    pub(super) origin: Origin,
}

impl Prepared {
    /// Bytes of slices and files that were stored.
    pub(crate) fn bytes(&self) -> u64 {
        let tables: u64 = self.tables.iter().map(PreparedTable::bytes).sum();
        tables + self.files.iter().map(|file| file.bytes).sum::<u64>()
    }

    /// How many tables and files will be published.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.tables.len(), self.files.len())
    }

    /// Removes what was stored, when it will not be committed; the outputs are put back where they lay.
    pub(crate) async fn discard(&self, blob: &BlobStore) -> Result<(), crate::blob::BlobError> {
        self.shelf.clear(blob).await
    }
}

/// What an upload works with.
pub(super) struct Uploading<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) blob: &'a BlobStore,
    pub(super) progress: &'a ProgressSink,
    pub(super) shelf: &'a Shelf,
    pub(super) scratch: &'a Path,
}

/// Uploads what was collected. All tables are read before an error is returned, so that all errors are told; what was
/// stored until then is removed again. `file_tags` are put on every output file.
pub(crate) async fn upload(
    collected: Collected,
    origin: Origin,
    file_tags: &[String],
    catalog: &Catalog,
    blob: &BlobStore,
    progress: &ProgressSink,
) -> Result<Prepared, Several<UploadError>> {
    let shelf = Shelf::fresh(origin);
    let scratch = scratch(blob).await?;
    let uploading = Uploading { catalog, blob, progress, shelf: &shelf, scratch: scratch.path() };
    let uploaded = uploading.everything(collected, file_tags).await;
    blocking(move || drop(scratch)).await;
    match uploaded {
        Ok((tables, files)) => Ok(Prepared { tables, files, shelf, origin }),
        Err(errors) => {
            // The upload's own error is the one to tell; what cannot be removed now is found by the next gc.
            if let Err(leftover) = shelf.clear(blob).await {
                tracing::warn!(error = %leftover, "could not remove an upload that failed");
            }
            Err(errors)
        }
    }
}

pub(super) async fn scratch(blob: &BlobStore) -> Result<TempDir, UploadError> {
    let blob = blob.clone();
    blocking(move || blob.scratch())
        .await
        .map_err(|source| UploadError::Blob { what: "scratch space".into(), source })
}

impl Uploading<'_> {
    async fn everything(
        &self,
        collected: Collected,
        file_tags: &[String],
    ) -> Result<(Vec<PreparedTable>, Vec<NewFile>), Several<UploadError>> {
        let ids: Vec<TableId> = collected.tables.iter().map(|table| table.table.clone()).collect();
        let heads = self.catalog.snapshot(&ids).await.map_err(UploadError::Catalog)?;
        let mut errors = Vec::new();
        let mut planned = Vec::new();
        for (table, head) in collected.tables.into_iter().zip(heads) {
            match self.plan(table, head).await {
                Ok(plan) => planned.push(plan),
                Err(error) => errors.push(error),
            }
        }
        // A file that cannot be taken is known by now; reading gigabytes first would only delay the news.
        Several::none_of(errors)?;
        let tables = self.tables(planned).await?;
        let files = stream::iter(collected.files).map(|file| self.file(file, file_tags));
        let files: Vec<_> = files.buffered(self.blob.at_once()).collect().await;
        let (files, errors) = split(files);
        Several::none_of(errors)?;
        Ok((tables, files))
    }

    /// Looks at headers only: which columns will there be, and may they?
    async fn plan(
        &self,
        table: CollectedTable,
        head: Option<TableVersion>,
    ) -> Result<TablePlan, UploadError> {
        blocking(move || TablePlan::new(table, head.as_ref())).await
    }

    async fn tables(&self, planned: Vec<TablePlan>) -> Result<Vec<PreparedTable>, Several<UploadError>> {
        let planned: Vec<Arc<TablePlan>> = planned.into_iter().map(Arc::new).collect();
        let parts = planned.iter().enumerate().flat_map(|(table, plan)| {
            (0..plan.table.parts.len()).map(move |part| (table, part, Arc::clone(plan)))
        });
        let parts: Vec<_> = parts.collect();
        let read = stream::iter(parts).map(|(table, part, plan)| async move {
            self.part(&plan, table, part).await.map(|read| (table, read))
        });
        let read: Vec<_> = read.buffered(at_once()).collect().await;
        let (read, errors) = split(read);
        Several::none_of(errors)?;
        let mut loads: Vec<(Vec<String>, Vec<NewSlice>)> =
            planned.iter().map(|plan| (plan.columns.clone(), Vec::new())).collect();
        for (table, (columns, slices)) in read {
            if let Some(load) = loads.get_mut(table) {
                // What was read counts, not what the look at the header made of it.
                load.0 = columns;
                load.1.extend(slices);
            }
        }
        let prepared = planned.iter().zip(loads).map(|(plan, (columns, slices))| {
            PreparedTable::new(
                plan.rules.clone(),
                plan.table.shown.clone(),
                columns,
                plan.key.clone(),
                slices,
            )
        });
        Ok(prepared.collect())
    }

    /// Reads one part and stores its slices; returns its columns with them.
    async fn part(
        &self,
        plan: &Arc<TablePlan>,
        table: usize,
        part: usize,
    ) -> Result<(Vec<String>, Vec<NewSlice>), UploadError> {
        let scratch = Scratch { folder: self.scratch.to_owned(), stem: format!("{table}-{part}") };
        let progress = self.progress.clone();
        let made = {
            let plan = Arc::clone(plan);
            blocking(move || plan.read(part, &scratch, &progress)).await?
        };
        let own = plan.table.parts.get(part).map(|file| file.path.clone()).unwrap_or_default();
        let source = if plan.table.is_shared { Source::Copy } else { Source::Move };
        let columns = made.first().map_or_else(|| plan.columns.clone(), |slice| slice.facts.columns.clone());
        Ok((columns, self.store(made, &own, source).await?))
    }

    /// Stores slices with their key indexes. One without rows is dropped: the columns are known without it.
    pub(super) async fn store(
        &self,
        made: Vec<MadeSlice>,
        own: &Path,
        own_source: Source,
    ) -> Result<Vec<NewSlice>, UploadError> {
        let mut stored = Vec::with_capacity(made.len());
        for slice in made.into_iter().filter(|slice| slice.facts.rows > 0) {
            let failed = |what: &str| {
                let what = what.to_owned();
                move |source| UploadError::Blob { what, source }
            };
            let number = self.shelf.number();
            let blob = self.shelf.slice(number).map_err(failed("a slice"))?;
            let stored_bytes = match &slice.csv {
                Some(path) => self.blob.put_file(&blob, path, Source::Move).await,
                None => self.shelf.take(self.blob, &blob, own, own_source).await,
            };
            stored_bytes.map_err(failed("a slice"))?;
            let key_index = match &slice.keys {
                None => None,
                Some(keys) => {
                    let key = self.shelf.keys(number).map_err(failed("a key index"))?;
                    self.blob.put_file(&key, keys, Source::Move).await.map_err(failed("a key index"))?;
                    Some(key)
                }
            };
            stored.push(NewSlice {
                blob,
                key_index,
                columns: slice.facts.columns,
                rows: slice.facts.rows,
                bytes: slice.facts.bytes,
                checksum: slice.facts.checksum,
                deleted: RoaringBitmap::new(),
            });
        }
        Ok(stored)
    }

    async fn file(&self, file: CollectedFile, file_tags: &[String]) -> Result<NewFile, UploadError> {
        let failed = |source| UploadError::Blob { what: file.file.shown.clone(), source };
        let blob = self.shelf.file(self.shelf.number()).map_err(failed)?;
        {
            // The last look before it is taken.
            let file = file.file.clone();
            blocking(move || file.open().map(drop)).await?;
        }
        let taken = self.shelf.take(self.blob, &blob, &file.file.path, Source::Move).await;
        let bytes = taken.map_err(failed)?;
        self.progress.bytes(bytes);
        let mut tags = file.options.tags.clone();
        tags.extend(file_tags.iter().filter(|tag| !file.options.tags.contains(tag)).cloned());
        Ok(NewFile {
            blob,
            name: file.name,
            bytes,
            tags,
            is_permanent: file.options.is_permanent,
            is_public: file.options.is_public,
            is_sliced: false,
        })
    }
}

fn split<T, E>(results: Vec<Result<T, E>>) -> (Vec<T>, Vec<E>) {
    let mut errors = Vec::new();
    let values =
        results.into_iter().filter_map(|result| result.map_err(|error| errors.push(error)).ok()).collect();
    (values, errors)
}
