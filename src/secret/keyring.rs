//! Where the keys of a project come from: the settings, or a file that a local project makes for itself.

use std::path::{Path, PathBuf};

use super::file::read_identities;
use super::{Generated, KeyError, Keys};
use crate::job::Hidden;

/// The keys of a project, read when they are needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Keyring {
    /// Text of identities that the settings give.
    pub(crate) identity: Option<Hidden>,
    /// A file of them.
    pub(crate) identity_file: Option<PathBuf>,
    /// Public keys beside them.
    pub(crate) recipients: Vec<String>,
    /// Of a catalog that no other machine shares; used where the settings give no identity.
    pub(crate) project_file: Option<PathBuf>,
}

impl Keyring {
    /// The keys that there are; without any, nothing can be opened.
    pub(crate) async fn keys(&self) -> Result<Keys, KeyError> {
        let keyring = self.clone();
        blocking(move || keyring.read(false)).await
    }

    /// As [`Keyring::keys`]; a local project makes its key when there is none to seal to.
    pub(crate) async fn keys_to_seal(&self) -> Result<Keys, KeyError> {
        let keyring = self.clone();
        blocking(move || keyring.read(true)).await
    }

    /// Whether a key would be made where there is none.
    pub(crate) fn makes_its_own(&self) -> bool {
        self.identity.is_none() && self.identity_file.is_none() && self.project_file.is_some()
    }

    /// The keys, on a thread that may wait for a disk; `makes_one` as [`Keyring::keys_to_seal`] does.
    pub(crate) fn read(&self, makes_one: bool) -> Result<Keys, KeyError> {
        let keys = match (&self.identity, &self.identity_file, &self.project_file) {
            (Some(text), _, _) => Keys::parse(text.reveal(), "secrets.identity")?,
            (None, Some(path), _) => of_file(path)?,
            (None, None, Some(path)) if path.exists() => of_file(path)?,
            (None, None, Some(path)) if makes_one => made(path)?,
            (None, None, Some(_) | None) => Keys::default(),
        };
        keys.with_recipients(&self.recipients)
    }
}

fn of_file(path: &Path) -> Result<Keys, KeyError> {
    Keys::parse(read_identities(path)?.reveal(), &path.display().to_string())
}

/// Two commands may need the first key at the same moment: the file of whoever is first counts.
fn made(path: &Path) -> Result<Keys, KeyError> {
    match Generated::fresh().write(path) {
        Ok(()) | Err(KeyError::FileExists { .. }) => of_file(path),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(deed: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(deed).await {
        Ok(value) => value,
        Err(ended) => std::panic::resume_unwind(match ended.try_into_panic() {
            Ok(panic) => panic,
            Err(cancelled) => Box::new(cancelled.to_string()),
        }),
    }
}
