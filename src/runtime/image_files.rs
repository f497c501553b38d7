//! What a component changed in its image's own files. Where the engine keeps them in a folder that we may read, that is
//! measured like the data folder; elsewhere the engine is asked, which walks through them itself.

use std::path::{Path, PathBuf};

use super::measure::{self, Added, Place, Weight, WriteLimits};
use crate::engine::Engine;
use crate::job::{BadExit, SizeKind};

/// The engine is asked less often than we look ourselves.
const ASK_EVERY: u32 = 5;

#[derive(Debug)]
pub(super) struct ImageFiles {
    access: Access,
}

#[derive(Debug)]
enum Access {
    /// The container cannot change them.
    ReadOnly,
    Unknown,
    /// The upper folder of an overlay: what was changed and nothing else.
    Folder(PathBuf),
    Asked {
        round: u32,
    },
}

impl ImageFiles {
    pub(super) fn new(is_root_writable: bool) -> Self {
        let access = if is_root_writable { Access::Unknown } else { Access::ReadOnly };
        Self { access }
    }

    /// Where they lie, once that is known and ours to see.
    pub(super) fn folder(&self) -> Option<&Path> {
        match &self.access {
            Access::Folder(folder) => Some(folder),
            Access::ReadOnly | Access::Unknown | Access::Asked { .. } => None,
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
            self.access = match engine.changed_files(id).await {
                Some(folder) if tokio::fs::read_dir(&folder).await.is_ok() => Access::Folder(folder),
                Some(_) | None => Access::Asked { round: 0 },
            };
        }
        match &mut self.access {
            Access::ReadOnly | Access::Unknown => (Added::default(), None),
            Access::Folder(folder) => {
                let folder = folder.clone();
                let looked = tokio::task::spawn_blocking(move || {
                    measure::measure(&folder, Place::ImageFiles, Weight::default(), limits)
                });
                // The engine may take the folder away under us.
                looked.await.ok().and_then(Result::ok).unwrap_or_default()
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
}

async fn asked(engine: &Engine, id: &str, limit: u64) -> (Added, Option<BadExit>) {
    let Ok(Some(found)) = engine.written_bytes(id).await else { return (Added::default(), None) };
    let excess = (found > limit).then_some(BadExit::SizeLimit { what: SizeKind::ImageFiles, limit, found });
    (Added { bytes: found, files: 0 }, excess)
}
