//! Measures what a component writes to disk while it runs, and once more afterwards: its data folder about once a
//! second, and what it changed in its image's files now and then.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::measure::{self, OutputLimits, Weight};
use crate::engine::Engine;
use crate::job::BadExit;

const PAUSE: Duration = Duration::from_secs(1);
/// The engine walks through all changed files for it, so it is asked less often.
const ROOT_EVERY: u32 = 5;

#[derive(Debug)]
pub(super) struct Watchdog {
    pub(super) engine: Engine,
    pub(super) id: String,
    pub(super) data_folder: PathBuf,
    /// What was there before the start.
    pub(super) before: Weight,
    pub(super) limits: OutputLimits,
    pub(super) is_root_writable: bool,
}

impl Watchdog {
    /// Measures until a limit is exceeded or the container has ended, and then once more: a container may write
    /// everything in its last moment.
    pub(super) async fn watch(self, ended: CancellationToken) -> io::Result<Option<BadExit>> {
        let mut round = 0_u32;
        loop {
            let last = timeout(PAUSE, ended.cancelled()).await.is_ok();
            let (folder, before, limits) = (self.data_folder.clone(), self.before, self.limits);
            let measured =
                tokio::task::spawn_blocking(move || measure::exceeded(&folder, before, limits)).await;
            let mut excess = measured.map_err(io::Error::other)??;
            round = round.wrapping_add(1);
            // What it changed in the image's files is gone with the container, so the last moment does not count.
            if excess.is_none() && !last && self.is_root_writable && round.is_multiple_of(ROOT_EVERY) {
                excess = self.root_excess(&ended).await;
            }
            if excess.is_some() || last {
                return Ok(excess);
            }
        }
    }

    /// An engine that does not say is asked again.
    async fn root_excess(&self, ended: &CancellationToken) -> Option<BadExit> {
        let asked = ended.run_until_cancelled(self.engine.written_bytes(&self.id)).await?;
        let found = asked.ok().flatten()?;
        let limit = self.limits.bytes_max;
        (found > limit).then_some(BadExit::SizeLimit { what: "component's own file system", limit, found })
    }
}
