//! What a run published in its scratch project, as far as two runs are compared and secrets are looked for.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::error::CertifyError;
use crate::blob::{BlobKey, BlobStore};
use crate::catalog::{Catalog, StateKey};
use crate::events::Redactor;
use crate::job::{FileId, TableId};
use crate::mapping::State;
use crate::result::ResultDocument;

const READ_BYTES: usize = 1 << 20;
/// Longer than any secret's longest form: what a piece's end may cut is looked at again.
const OVERLAP_BYTES: usize = 64 << 10;

/// Everything that was published, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// Name (`table out.c-main.a`, `file x`, `state`) and a digest of its content.
    digests: Vec<(String, [u8; 32])>,
    /// Where a secret was found.
    pub(super) leaks: Vec<String>,
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
    pub(super) redactor: &'a Redactor,
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
        let (store, redactor) = (self.blobs.clone(), self.redactor.clone());
        let is_named = redactor.finds(name.as_bytes()) || redactor.finds(head.as_bytes());
        let read = tokio::task::spawn_blocking(move || {
            let mut digest = Sha256::new_with_prefix(head);
            let mut found = is_named;
            for key in blobs {
                let input = store.open(&key)?;
                let failed =
                    |source| CertifyError::Io { action: "read", path: key.to_string().into(), source };
                found |= read_through(input, &redactor, &mut digest).map_err(failed)?;
            }
            Ok::<_, CertifyError>((digest.finalize().into(), found))
        });
        let (digest, found) = read.await??;
        if found {
            published.leaks.push(redactor_name(self.redactor, &name));
        }
        published.digests.push((name, digest));
        Ok(())
    }
}

/// A name may hold the secret itself.
fn redactor_name(redactor: &Redactor, name: &str) -> String {
    redactor.mask(name)
}

/// Digests a blob; returns whether a secret is in it.
fn read_through(mut input: impl Read, redactor: &Redactor, digest: &mut Sha256) -> std::io::Result<bool> {
    let (mut window, mut found) = (Vec::with_capacity(READ_BYTES + OVERLAP_BYTES), false);
    loop {
        let kept = window.len().min(OVERLAP_BYTES);
        window.drain(..window.len() - kept);
        let read = input.by_ref().take(READ_BYTES as u64).read_to_end(&mut window)?;
        if read == 0 {
            return Ok(found);
        }
        digest.update(&window[kept..]);
        found |= redactor.finds(&window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_across_two_pieces_is_found_and_the_digest_is_of_the_bytes_alone() {
        let redactor = Redactor::new(["hunter22"]);
        for at in [0, READ_BYTES - 4, 2 * READ_BYTES - 8] {
            let mut bytes = vec![b'x'; 2 * READ_BYTES];
            bytes[at..at + 8].copy_from_slice(b"hunter22");
            let mut digest = Sha256::new();
            assert!(read_through(bytes.as_slice(), &redactor, &mut digest).unwrap(), "{at}");
            assert_eq!(digest.finalize(), Sha256::digest(&bytes));
        }
        assert!(!read_through(&b"nothing"[..], &redactor, &mut Sha256::new()).unwrap());
    }
}
