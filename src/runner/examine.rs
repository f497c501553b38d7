//! A closer look at runs than a job's record needs: certification changes what was staged, and asks what became of the
//! container before it is removed. Without an examiner nothing of this costs anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::events::LastWords;
use crate::failure::Stop;
use crate::job::Exit;
use crate::mapping::{self, Alteration, DataFolder, StagedTable};
use crate::runtime::{Container, Ended};

/// What is done to every run of one runner, and what was seen of it.
#[derive(Debug)]
pub(crate) struct Examiner {
    /// Done to each staged table.
    alteration: Option<Alteration>,
    /// Added to the container's environment.
    pub(super) environment: Vec<(String, String)>,
    /// No container runs longer, whatever its own limit is.
    timeout_max: Duration,
    seen: Mutex<Vec<Examined>>,
    leaks: Mutex<Vec<String>>,
}

/// What was seen of one container.
#[derive(Debug, Clone)]
pub(crate) struct Examined {
    pub(crate) exit: Exit,
    /// The engine's own word, whoever brought the end about.
    pub(crate) exit_code: Option<i64>,
    /// Masked.
    pub(crate) words: LastWords,
    /// As the engine has it: `uid:gid`, a name, or nothing for root.
    pub(crate) user: String,
    /// Of the image's own files; nothing where the engine does not say.
    pub(crate) changed_paths: Option<Vec<String>>,
    pub(crate) ran: Duration,
}

impl Examiner {
    pub(crate) fn new(
        alteration: Option<Alteration>,
        environment: Vec<(String, String)>,
        timeout_max: Duration,
    ) -> Self {
        let (seen, leaks) = (Mutex::default(), Mutex::default());
        Self { alteration, environment, timeout_max, seen, leaks }
    }

    pub(super) fn timeout(&self, own: Duration) -> Duration {
        own.min(self.timeout_max)
    }

    pub(super) async fn alter(&self, folder: &DataFolder, tables: &[StagedTable]) -> Result<(), Stop> {
        let Some(alteration) = self.alteration else { return Ok(()) };
        let destinations = tables.iter().map(|table| table.destination.clone()).collect();
        Ok(mapping::alter_tables(folder, destinations, alteration).await?)
    }

    /// Looks at a container that has ended and is still there.
    pub(super) async fn look(&self, container: &Container, ended: &Ended, words: &LastWords) {
        let examined = Examined {
            exit: ended.exit.clone(),
            exit_code: ended.inspect["State"]["ExitCode"].as_i64(),
            words: words.clone(),
            user: ended.inspect["Config"]["User"].as_str().unwrap_or_default().to_owned(),
            changed_paths: container.changed_paths().await.ok(),
            ran: ended.ran,
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(examined);
    }

    /// Keeps where secrets were found in outputs, in sentences.
    pub(super) fn note_leaks(&self, sentences: &[String]) {
        self.leaks.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(sentences);
    }

    /// One entry for every container in their order, and where secrets were found in what they left.
    pub(crate) fn into_seen(self) -> (Vec<Examined>, Vec<String>) {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        (seen, self.leaks.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
