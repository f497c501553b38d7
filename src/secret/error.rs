//! What can go wrong with keys and sealed values. No message ever holds a key or a value.

use std::io;
use std::path::PathBuf;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("line {line} of {what} is not a key: expected AGE-SECRET-KEY-1…")]
    NotAnIdentity { what: String, line: usize },
    #[error("{what} holds no key")]
    NoIdentity { what: String },
    #[error(
        "{text:?} is not a public key: expected age1… as `longshore secret keygen` prints it, 62 characters"
    )]
    NotARecipient { text: String },
    #[error("the key file {} may be read by others (mode {mode:03o}): chmod 600 {}", path.display(), path.display())]
    ReadableByOthers { path: PathBuf, mode: u32 },
    #[error("{} is there already: a key is never overwritten, as nothing sealed to it could be opened again", path.display())]
    FileExists { path: PathBuf },
    #[error("there is no key file {} (`secrets.identity_file`): longshore secret keygen --out {} makes one", path.display(), path.display())]
    NoFile { path: PathBuf },
    #[error("could not write the key file {}: there is no folder {}", path.display(), folder.display())]
    NoFolder { path: PathBuf, folder: PathBuf },
    #[error("could not {action} the key file {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Why a value could not be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("there is no key to encrypt to")]
    NoKey,
    #[error("could not encrypt")]
    Failed { source: Box<dyn std::error::Error + Send + Sync> },
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a sealed value could not be opened. Nothing of the value is in any of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("is encrypted in a way that this release does not know")]
    UnknownVersion,
    #[error("is encrypted, and there is no key here")]
    NoKeyAtAll,
    /// Beginnings of the public keys it was made for and of those whose secret halves are here.
    #[error("is encrypted for the key {}, and here is only the key of {}", shown(made_for), shown(have))]
    NoKey { made_for: Vec<String>, have: Vec<String> },
    #[error("is damaged: a part of the encrypted text is missing or was changed")]
    Damaged,
    #[error("was encrypted for another component")]
    OtherComponent,
    #[error("was encrypted for another configuration of this component")]
    OtherConfiguration,
}

/// Why a sealed value could not be sealed anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResealError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

fn shown(hints: &[String]) -> String {
    hints.iter().map(|hint| format!("age1{hint}…")).collect::<Vec<_>>().join(", ")
}

impl OpenError {
    /// What a person can do about it. `component` is the one whose configuration the value stands in.
    pub(crate) fn remedy(&self, component: &str) -> String {
        match self {
            Self::UnknownVersion => "use the release of Longshore that encrypted it".to_owned(),
            Self::NoKeyAtAll => {
                "set `secrets.identity_file` to the file of the key it was encrypted for; a local project looks in `.longshore/secret.key`".to_owned()
            }
            Self::NoKey { .. } => format!(
                "add that key to the file of `secrets.identity_file`, or encrypt the value again: longshore secret encrypt --component {component}"
            ),
            Self::Damaged | Self::OtherComponent | Self::OtherConfiguration => {
                format!("encrypt the value again: longshore secret encrypt --component {component}")
            }
        }
    }
}
