//! What is wrong with the files of a build.

use std::io;
use std::path::PathBuf;

use crate::image::build::error::BuildTrouble;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    #[error("{folder} is not a plain folder of it")]
    FolderMissing { folder: String },
    #[error("there is no folder {folder}; correct `image.build.path`, which counts from the spec's folder")]
    PathMissing { folder: String },
    #[error("it has no Dockerfile {path}")]
    NoDockerfile { path: String },
    #[error("{path} is a symbolic link or the like, which is not followed here")]
    NotPlain { path: String },
    #[error("{path} is larger than {limit} bytes")]
    TextTooLarge { path: String, limit: u64 },
    #[error(
        "it has the submodule {path}; submodules are not fetched: put the files into the repository, or fetch them in the Dockerfile"
    )]
    Submodule { path: String },
    #[error("it has the odd path {path:?}")]
    OddPath { path: String },
    #[error(
        "{path} is neither a file nor a folder nor a symbolic link; name it in .dockerignore, or remove it"
    )]
    Special { path: String },
    #[error("it has more than {limit} files; name what the build does not need in .dockerignore")]
    TooMany { limit: usize },
    #[error(
        "its files have {found} bytes, more than the {limit} allowed (git.size_max in the settings); name what the build does not need in .dockerignore"
    )]
    TooLarge { found: u64, limit: u64 },
    #[error("it changed while it was read")]
    Changed,
    #[error("the work was called off")]
    CalledOff,
    #[error("cannot {action} {path}", path = .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl ContextError {
    pub(in crate::image::build) fn trouble(&self) -> BuildTrouble<'static> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => BuildTrouble::DiskFull,
            Self::Io { .. } | Self::CalledOff => BuildTrouble::Platform,
            Self::FolderMissing { .. }
            | Self::PathMissing { .. }
            | Self::NoDockerfile { .. }
            | Self::NotPlain { .. }
            | Self::TextTooLarge { .. }
            | Self::Submodule { .. }
            | Self::OddPath { .. }
            | Self::Special { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::Changed => BuildTrouble::Source,
        }
    }
}
