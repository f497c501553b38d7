//! Computes what a stored load does to one head of its table: which old rows go, which key indexes are missing.
//! Can be asked again against a later head: what was found for a slice holds for ever, because slices never change.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use roaring::RoaringBitmap;

use super::old_slices::{OldSlices, count_duplicates};
use super::plan::same_key;
use super::rules::{LoadRules, UploadError};
use super::shelf::Shelf;
use super::slicing;
use super::threads::{at_once, blocking};
use crate::blob::{BlobError, BlobKey, BlobStore, Source};
use crate::catalog::{NewSlice, Slice, SliceDeletion, SliceId, TableLoad, TableVersion};
use crate::csv::duplicates_within;
use crate::job::{LoadKind, TableId};

/// One table of an upload: its rows are stored, its effect on the table is not yet fixed.
#[derive(Debug)]
pub(crate) struct PreparedTable {
    pub(super) rules: LoadRules,
    /// As people know the source: `out/tables/orders.csv`.
    shown: String,
    columns: Vec<String>,
    /// What the key indexes of `slices` are of.
    key: Vec<String>,
    slices: Vec<NewSlice>,
    is_deduplicated: bool,
    /// What this load deletes from slices that were there, whoever else deletes more.
    doomed: HashMap<SliceId, RoaringBitmap>,
    /// Indexes made for old slices that had none of this key.
    rekeyed: HashMap<SliceId, BlobKey>,
}

/// What computing a load needs.
pub(super) struct LoadDesk<'a> {
    pub(super) blob: &'a BlobStore,
    pub(super) shelf: &'a Shelf,
}

impl PreparedTable {
    pub(super) fn bytes(&self) -> u64 {
        self.slices.iter().map(|slice| slice.bytes).sum()
    }

    pub(super) fn new(
        rules: LoadRules,
        shown: String,
        columns: Vec<String>,
        key: Vec<String>,
        slices: Vec<NewSlice>,
    ) -> Self {
        let (doomed, rekeyed) = (HashMap::new(), HashMap::new());
        Self { rules, shown, columns, key, slices, is_deduplicated: false, doomed, rekeyed }
    }

    /// The load as it is to be committed on top of `head`.
    pub(super) async fn against(
        &mut self,
        head: Option<&TableVersion>,
        desk: &LoadDesk<'_>,
    ) -> Result<TableLoad, UploadError> {
        let key = self.rules.effective_key(head)?;
        let columns = self.rules.table_columns(&self.shown, &self.columns, head)?;
        self.rules.check_key(&self.shown, &self.columns, &key)?;
        self.adopt_key(&key, desk).await?;
        let kind = self.rules.kind(&key);
        let (deletions, rekeyed) = match (head, kind) {
            (None, _) | (Some(_), LoadKind::Replace) => (Vec::new(), Vec::new()),
            (Some(head), LoadKind::Append | LoadKind::Upsert) => self.old_rows(head, kind, desk).await?,
        };
        Ok(TableLoad {
            table: self.rules.table.clone(),
            based_on: head.map(|head| head.version),
            kind,
            columns,
            primary_key: key,
            slices: self.slices.clone(),
            deletions,
            rekeyed,
            description: self.rules.options.description.clone(),
        })
    }

    /// Makes sure that the new slices are indexed by `key` and know which of their rows are replaced by later ones.
    async fn adopt_key(&mut self, key: &[String], desk: &LoadDesk<'_>) -> Result<(), UploadError> {
        if self.key != key {
            // Somebody changed the table's key since the rows were read.
            let slices = std::mem::take(&mut self.slices);
            let table = &self.rules.table;
            let indexed = stream::iter(slices).map(|mut slice| async move {
                slice.deleted = RoaringBitmap::new();
                slice.key_index = match key {
                    [] => None,
                    key => Some(desk.index(table, &slice.blob, key).await?),
                };
                Ok::<_, UploadError>(slice)
            });
            self.slices = indexed.buffered(at_once()).try_collect().await?;
            self.key = key.to_vec();
            self.is_deduplicated = false;
            self.doomed.clear();
            self.rekeyed.clear();
        }
        if !self.is_deduplicated && !self.key.is_empty() {
            let bitmaps = desk.duplicates(self.key_indexes()).await?;
            for (slice, deleted) in self.slices.iter_mut().zip(bitmaps) {
                slice.deleted = deleted;
            }
            self.is_deduplicated = true;
        }
        Ok(())
    }

    fn key_indexes(&self) -> Vec<BlobKey> {
        self.slices.iter().filter_map(|slice| slice.key_index.clone()).collect()
    }

    /// The complete new bitmap of every old slice that loses rows, and the indexes that had to be made.
    async fn old_rows(
        &mut self,
        head: &TableVersion,
        kind: LoadKind,
        desk: &LoadDesk<'_>,
    ) -> Result<(Vec<SliceDeletion>, Vec<(SliceId, BlobKey)>), UploadError> {
        self.rules.check_delete_columns(head)?;
        if !self.key.is_empty() {
            self.rekey(head, desk).await?;
        }
        let unknown = head.slices.iter().filter(|slice| !self.doomed.contains_key(&slice.id));
        let asked: Vec<(Slice, Option<BlobKey>)> =
            unknown.map(|slice| (slice.clone(), self.index_of(slice))).collect();
        let is_compared = kind == LoadKind::Upsert && !asked.is_empty();
        let old = Arc::new(OldSlices {
            blob: desk.blob.clone(),
            table: self.rules.table.clone(),
            deletions: self.rules.options.delete_where.clone().unwrap_or_default(),
            incoming: if is_compared { desk.open(self.key_indexes()).await? } else { Vec::new() },
        });
        let found = stream::iter(asked).map(|(slice, index)| {
            let old = Arc::clone(&old);
            blocking(move || old.doomed(&slice, index.as_ref()).map(|doomed| (slice.id, doomed)))
        });
        let found: Vec<(SliceId, RoaringBitmap)> = found.buffered(at_once()).try_collect().await?;
        self.doomed.extend(found);
        let deletions = head.slices.iter().filter_map(|slice| {
            let deleted = &slice.deleted | self.doomed.get(&slice.id)?;
            (deleted != slice.deleted).then_some(SliceDeletion { slice: slice.id, deleted })
        });
        let rekeyed =
            head.slices.iter().filter_map(|slice| Some((slice.id, self.rekeyed.get(&slice.id)?.clone())));
        Ok((deletions.collect(), rekeyed.collect()))
    }

    fn index_of(&self, slice: &Slice) -> Option<BlobKey> {
        self.rekeyed.get(&slice.id).or(slice.key_index.as_ref()).cloned()
    }

    /// Indexes the old slices where the table gets this key only now; its rows must not break it.
    async fn rekey(&mut self, head: &TableVersion, desk: &LoadDesk<'_>) -> Result<(), UploadError> {
        let is_changed = !same_key(&head.primary_key, &self.key);
        for slice in &head.slices {
            if let Some(column) = self.key.iter().find(|column| is_changed && !slice.columns.contains(column))
            {
                return Err(UploadError::KeyColumnNew { table: head.table.clone(), column: column.clone() });
            }
        }
        let lacking = head.slices.iter().filter(|slice| {
            (is_changed || slice.key_index.is_none()) && !self.rekeyed.contains_key(&slice.id)
        });
        let key = &self.key;
        let made = stream::iter(lacking.cloned().collect::<Vec<_>>()).map(|slice| async move {
            desk.index(&head.table, &slice.blob, key).await.map(|index| (slice.id, index))
        });
        let made: Vec<(SliceId, BlobKey)> = made.buffered(at_once()).try_collect().await?;
        self.rekeyed.extend(made);
        if !is_changed {
            return Ok(());
        }
        let (blob, key) = (desk.blob.clone(), self.key.clone());
        let slices: Vec<_> = head.slices.iter().map(|slice| (slice.clone(), self.index_of(slice))).collect();
        let table = head.table.clone();
        let rows = blocking(move || count_duplicates(&blob, &table, &slices, &key)).await?;
        if rows > 0 {
            return Err(UploadError::KeyDuplicates {
                table: head.table.clone(),
                key: self.key.clone(),
                rows,
            });
        }
        Ok(())
    }
}

impl LoadDesk<'_> {
    /// Makes and stores the key index of a stored slice.
    async fn index(&self, table: &TableId, slice: &BlobKey, key: &[String]) -> Result<BlobKey, UploadError> {
        let failed = |source| UploadError::Blob { what: format!("a key index of table {table}"), source };
        let stored = self.shelf.keys(self.shelf.number()).map_err(failed)?;
        let (blob, slice, table, key) = (self.blob.clone(), slice.clone(), table.clone(), key.to_vec());
        let (scratch, path) = blocking(move || {
            let failed = |source| UploadError::Blob { what: format!("a slice of table {table}"), source };
            let scratch = blob.scratch().map_err(failed)?;
            let path = scratch.path().join("index.keys");
            let mut input = blob.open(&slice).map_err(failed)?;
            slicing::index(&mut input, &format!("a slice of {table}"), &key, &path)
                .map_err(|error| UploadError::of_table(error, &table))?;
            Ok::<_, UploadError>((scratch, path))
        })
        .await?;
        self.blob.put_file(&stored, &path, Source::Move).await.map_err(failed)?;
        blocking(move || drop(scratch)).await;
        Ok(stored)
    }

    /// Key indexes as local files.
    async fn open(&self, indexes: Vec<BlobKey>) -> Result<Vec<File>, UploadError> {
        let blob = self.blob.clone();
        let opened: Result<Vec<File>, BlobError> =
            blocking(move || indexes.iter().map(|index| blob.open_file(index)).collect()).await;
        opened.map_err(|source| UploadError::Blob { what: "a key index".into(), source })
    }

    async fn duplicates(&self, indexes: Vec<BlobKey>) -> Result<Vec<RoaringBitmap>, UploadError> {
        let mut opened = self.open(indexes).await?;
        blocking(move || duplicates_within(&mut opened)).await.map_err(|source| UploadError::Io {
            action: "compare the keys of",
            path: "the incoming rows".into(),
            source,
        })
    }
}
