//! What a run published in its scratch project, as far as two runs are compared.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::error::CertifyError;
use crate::blob::{BlobKey, BlobStore};
use crate::catalog::{Catalog, StateKey};
use crate::job::{FileId, TableId};
use crate::mapping::State;
use crate::result::ResultDocument;

/// Everything that was published, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// Name (`table out.c-main.a`, `file x`, `state`) and a digest of its content.
    digests: Vec<(String, [u8; 32])>,
    /// The component's state is not the empty one.
    pub(super) has_state: bool,
}

impl Published {
    /// Names of what differs between two runs.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let of = |published: &Self, name: &str| {
            published.digests.iter().find(|(known, _)| known == name).map(|(_, digest)| *digest)
        };
        let mut names: Vec<&String> =
            self.digests.iter().chain(&other.digests).map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        names.into_iter().filter(|name| of(self, name) != of(other, name)).cloned().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.digests.len()
    }
}

/// Where a scratch project keeps what was published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelves<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) blobs: &'a BlobStore,
}

impl Shelves<'_> {
    /// Reads everything that a job has published.
    pub(super) async fn published(
        &self,
        document: &ResultDocument,
        states: &[StateKey],
    ) -> Result<Published, CertifyError> {
        let mut published = Published::default();
        // A name that the catalog cannot have is no table of it.
        let ids: Vec<TableId> =
            document.output.tables.iter().filter_map(|table| table.id.parse().ok()).collect();
        for version in self.catalog.snapshot(&ids).await?.into_iter().flatten() {
            let blobs = version.slices.iter().map(|slice| slice.blob.clone()).collect();
            let head = format!("{:?} {:?}", version.columns, version.primary_key);
            self.look(format!("table {}", version.table), head, blobs, &mut published).await?;
        }
        for file in &document.output.files {
            if let Some(stored) = self.catalog.file(FileId(file.id)).await? {
                let name = format!("file {}", stored.name);
                self.look(name, stored.tags.join(" "), vec![stored.blob], &mut published).await?;
            }
        }
        for key in states {
            let Some(text) = self.catalog.state(key).await? else { continue };
            let component = State::parse(&text).map_or(text, |state| state.component.to_string());
            // One that wrote none has left the empty one.
            if component == "{}" {
                continue;
            }
            published.has_state = true;
            let name =
                key.row.as_ref().map_or_else(|| "state".to_owned(), |row| format!("state of row {row}"));
            self.look(name, component, Vec::new(), &mut published).await?;
        }
        Ok(published)
    }

    /// `head` is what is known beside the bytes: columns, tags, a whole state.
    async fn look(
        &self,
        name: String,
        head: String,
        blobs: Vec<BlobKey>,
        published: &mut Published,
    ) -> Result<(), CertifyError> {
        let store = self.blobs.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut digest = Digest(Sha256::new_with_prefix(head));
            for key in blobs {
                let mut input = store.open(&key)?;
                let copied = io::copy(&mut input, &mut digest);
                let failed =
                    |source| CertifyError::Io { action: "read", path: key.to_string().into(), source };
                copied.map_err(failed)?;
            }
            Ok::<_, CertifyError>(digest.0.finalize().into())
        });
        published.digests.push((name, read.await??));
        Ok(())
    }
}

/// Digests whatever is written to it.
struct Digest(Sha256);

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
