//! Measures `out/` about once a second while the container runs, and once more afterwards.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::measure::{self, OutputLimits};
use crate::job::BadExit;

const PAUSE: Duration = Duration::from_secs(1);

/// Measures until a limit is exceeded or the container has ended, and then once more: a container may write everything
/// in its last moment.
pub(super) async fn watch(
    data_folder: PathBuf,
    limits: OutputLimits,
    ended: CancellationToken,
) -> io::Result<Option<BadExit>> {
    loop {
        let last = timeout(PAUSE, ended.cancelled()).await.is_ok();
        let folder = data_folder.clone();
        let measured = tokio::task::spawn_blocking(move || measure::exceeded(&folder, limits)).await;
        let excess = measured.map_err(io::Error::other)??;
        if excess.is_some() || last {
            return Ok(excess);
        }
    }
}
