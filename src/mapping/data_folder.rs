//! The data folder: what a container sees under `/data`. The only place that spells its paths.
//! Never reads what a component left there other than through [`super::beneath`].

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde_json::Value;
use zeroize::Zeroizing;

use super::removal::remove_tree;
use super::threads::blocking;
use crate::blob::is_disk_full;
use crate::component::DocumentFormat;
use crate::job::{AttemptNumber, JobId};

/// Folders made inside the data folder, parents first.
const FOLDERS: [&str; 8] = ["", "in", "in/tables", "in/files", "in/user", "out", "out/tables", "out/files"];

/// What may hold secrets by the interface: the configuration, and the states before and after the run.
pub(super) const CONFIDENTIAL: [&str; 6] =
    ["config.json", "config.yml", "in/state.json", "in/state.yml", "out/state.json", "out/state.yml"];

/// Whom the container runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This uid and gid: the folders are given to them (needs root unless they are our own).
    Of { uid: u32, gid: u32 },
    /// Whoever the image says: the folders are open to all. The folder above them is ours alone, so nobody else on
    /// the machine gets in.
    Image,
}

/// `<work>/<job>-<attempt>/data` of one attempt. The folder outlives this value: only [`DataFolder::remove`] ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFolder {
    root: PathBuf,
    owner: Owner,
    format: DocumentFormat,
}

/// What could not be done to the data folder.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", path.display())]
pub(crate) struct FolderError {
    pub action: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl FolderError {
    pub(crate) fn is_disk_full(&self) -> bool {
        is_disk_full(&self.source)
    }
}

impl DataFolder {
    /// Makes the folder of an attempt below `work`. It must not be there yet.
    pub(crate) async fn create(
        work: &Path,
        job: JobId,
        attempt: AttemptNumber,
        owner: Owner,
        format: DocumentFormat,
    ) -> Result<Self, FolderError> {
        let folder = Self { root: work.join(format!("{job}-{attempt}")), owner, format };
        blocking(move || folder.make().map(|()| folder)).await
    }

    /// The folder of an attempt that an earlier process made; nothing is touched.
    pub(crate) fn existing(root: PathBuf, owner: Owner, format: DocumentFormat) -> Self {
        Self { root, owner, format }
    }

    /// What is kept in the attempt's record, to find the folder again after a crash.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What is mounted as `/data`.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Writes `config.json` (or `.yml`), replacing one that is there.
    pub(crate) async fn write_config(&self, document: &Value) -> Result<(), FolderError> {
        self.write_document("config", document).await
    }

    /// Writes `in/state.json` (or `.yml`): the component's part of its state.
    pub(crate) async fn write_state(&self, component: &Value) -> Result<(), FolderError> {
        self.write_document("in/state", component).await
    }

    /// Bytes that can still be written to the disk under the folder; nothing where that cannot be known.
    pub(crate) async fn room(&self) -> Option<u64> {
        let root = self.root.clone();
        let disk = blocking(move || rustix::fs::statvfs(&root)).await.ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Removes the folder with whatever the component made of it. Removing it twice is fine.
    pub(crate) async fn remove(&self) -> Result<(), FolderError> {
        let root = self.root.clone();
        blocking(move || {
            remove_tree(&root).map_err(|source| FolderError { action: "remove", path: root, source })
        })
        .await
    }

    /// Where a table is staged. `destination` was confined when the mapping was parsed and planned.
    pub(super) fn input_table(&self, destination: &str) -> PathBuf {
        self.data().join("in/tables").join(destination)
    }

    pub(super) fn input_file(&self, name: &str) -> PathBuf {
        self.data().join("in/files").join(name)
    }

    /// Where one part of a table is written before it is joined: out of the container's sight.
    pub(super) fn part(&self, destination: &str, number: usize) -> PathBuf {
        self.root.join(format!("{}.{number}.part", destination.replace('/', "-")))
    }

    /// Path of the state a component leaves, seen from the data folder.
    pub(super) fn output_state(&self) -> &'static str {
        match self.format {
            DocumentFormat::Json => "out/state.json",
            DocumentFormat::Yaml => "out/state.yml",
        }
    }

    /// Makes the folders between `in/tables` and a destination with `/` in it.
    pub(super) fn make_parents(&self, path: &Path) -> Result<(), FolderError> {
        let data = self.data();
        let parents: Vec<&Path> = path.ancestors().skip(1).take_while(|parent| *parent != data).collect();
        for parent in parents.into_iter().rev().filter(|parent| !parent.exists()) {
            self.make_folder(parent)?;
        }
        Ok(())
    }

    fn make(&self) -> Result<(), FolderError> {
        if let Some(work) = self.root.parent() {
            fs::create_dir_all(work).map_err(|source| FolderError {
                action: "make",
                path: work.into(),
                source,
            })?;
        }
        // The outer folder is ours alone: what lies in it may be open to everybody.
        let outer = DirBuilder::new().recursive(false).mode(0o700).create(&self.root);
        outer.map_err(|source| FolderError { action: "make", path: self.root.clone(), source })?;
        FOLDERS.iter().try_for_each(|folder| self.make_folder(&self.data().join(folder)))
    }

    fn make_folder(&self, path: &Path) -> Result<(), FolderError> {
        let failed = |action| move |source| FolderError { action, path: path.to_owned(), source };
        // Another table of the same subfolder may be staged at this very moment.
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made.map_err(failed("make"))?,
        }
        match self.owner {
            Owner::Of { .. } => set_mode(path, 0o755),
            Owner::Image => set_mode(path, 0o777),
        }?;
        self.give(path)
    }

    /// Gives something that we made to the container's user. Never recursive: we know what we made.
    pub(super) fn give(&self, path: &Path) -> Result<(), FolderError> {
        let Owner::Of { uid, gid } = self.owner else {
            return Ok(());
        };
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if (uid, gid) == own {
            return Ok(());
        }
        chown(path, Some(uid), Some(gid)).map_err(|source| FolderError {
            action: "give to the container's user the folder or file",
            path: path.to_owned(),
            source,
        })
    }

    async fn write_document(&self, stem: &str, document: &Value) -> Result<(), FolderError> {
        let path = self.data().join(format!("{stem}.{}", extension(self.format)));
        // It holds secrets: of all texts that pass through here only the file is to remain.
        let text = Zeroizing::new(format!("{document:#}\n"));
        let folder = self.clone();
        blocking(move || folder.write_file(&path, &text)).await
    }

    /// Writes a small file that the container may read and, as in every peer, change.
    pub(super) fn write_file(&self, path: &Path, text: &str) -> Result<(), FolderError> {
        fs::write(path, text).map_err(|source| FolderError {
            action: "write",
            path: path.to_owned(),
            source,
        })?;
        set_mode(path, 0o644)?;
        self.give(path)
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), FolderError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|source| FolderError {
        action: "set the permissions of",
        path: path.to_owned(),
        source,
    })
}

/// YAML files hold JSON text, which every YAML reader reads the same way.
fn extension(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Json => "json",
        DocumentFormat::Yaml => "yml",
    }
}

impl fmt::Display for DataFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}
