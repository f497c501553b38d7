//! What a component changed in its image's own files, the volumes that the image asks for included. Where the engine keeps
//! them in folders that we may read, these are measured like the data folder; elsewhere the engine is asked for what it
//! knows, which is all but the volumes, and walks through it itself.

use std::path::{Path, PathBuf};

use super::measure::{self, Added, Place, Weight, WriteLimits};
use crate::engine::Engine;
use crate::job::{BadExit, SizeKind};

/// The engine is asked less often than we look ourselves.
const ASK_EVERY: u32 = 5;

#[derive(Debug)]
pub(super) struct ImageFiles {
    is_root_writable: bool,
    access: Access,
}

#[derive(Debug)]
enum Access {
    Unknown,
    /// The upper folder of an overlay, what was changed and nothing else, unless the container cannot change it; and the
    /// volumes with what the engine copied there from the image, which takes room for this run alone.
    Folders(Vec<PathBuf>),
    Asked {
        round: u32,
    },
}

impl ImageFiles {
    pub(super) fn new(is_root_writable: bool) -> Self {
        Self { is_root_writable, access: Access::Unknown }
    }

    /// Where they lie, once that is known and ours to see.
    pub(super) fn folders(&self) -> &[PathBuf] {
        match &self.access {
            Access::Folders(folders) => folders,
            Access::Unknown | Access::Asked { .. } => &[],
        }
    }

    /// What was added, and the limit that it exceeds. What cannot be learned now is asked again.
    pub(super) async fn look(
        &mut self,
        engine: &Engine,
        id: &str,
        limits: WriteLimits,
    ) -> (Added, Option<BadExit>) {
        if let Access::Unknown = self.access {
            self.access = self.find(engine, id).await;
        }
        match &mut self.access {
            Access::Unknown => (Added::default(), None),
            Access::Folders(folders) => {
                let folders = folders.clone();
                let looked = tokio::task::spawn_blocking(move || measure_all(&folders, limits));
                looked.await.unwrap_or_default()
            }
            Access::Asked { round } => {
                *round = round.wrapping_add(1);
                if !round.is_multiple_of(ASK_EVERY) {
                    return (Added::default(), None);
                }
                asked(engine, id, limits.bytes_max).await
            }
        }
    }

    async fn find(&self, engine: &Engine, id: &str) -> Access {
        let mut folders = engine.volume_folders(id).await;
        if self.is_root_writable {
            match engine.changed_files(id).await {
                Some(folder) if is_readable(&folder).await => folders.push(folder),
                Some(_) | None => return Access::Asked { round: 0 },
            }
        }
        Access::Folders(folders)
    }
}

async fn is_readable(folder: &Path) -> bool {
    tokio::fs::read_dir(folder).await.is_ok()
}

/// All folders share one limit. Blocks.
fn measure_all(folders: &[PathBuf], limits: WriteLimits) -> (Added, Option<BadExit>) {
    let mut sum = Added::default();
    for folder in folders {
        // The engine may take the folder away under us.
        let (added, excess) =
            measure::measure(folder, Place::ImageFiles, Weight::default(), limits).unwrap_or_default();
        sum.bytes = sum.bytes.saturating_add(added.bytes);
        sum.files = sum.files.saturating_add(added.files);
        let over = |what, limit, found| (found > limit).then_some(BadExit::SizeLimit { what, limit, found });
        let excess = excess
            .or_else(|| over(SizeKind::ImageFiles, limits.bytes_max, sum.bytes))
            .or_else(|| over(SizeKind::ImageFileCount, limits.files_max, sum.files));
        if excess.is_some() {
            return (sum, excess);
        }
    }
    (sum, None)
}

async fn asked(engine: &Engine, id: &str, limit: u64) -> (Added, Option<BadExit>) {
    let Ok(Some(found)) = engine.written_bytes(id).await else { return (Added::default(), None) };
    let excess = (found > limit).then_some(BadExit::SizeLimit { what: SizeKind::ImageFiles, limit, found });
    (Added { bytes: found, files: 0 }, excess)
}
