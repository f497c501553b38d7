//! Looks at what a component left, beneath its data folder only: no symlink is followed, nothing but a plain file is
//! ever opened, and what was looked at is what is read later.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::job::OutputLimits;

/// How many times its size on disk a large file may claim. File systems that compress stay far below.
const SPARSE_FACTOR: u64 = 64;
const BLOCK_BYTES: u64 = 512;

/// Why an output is not touched. All of them are the component's doing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnsafeError {
    #[error("{path} is a {what}: only plain files are taken")]
    NotAFile { path: String, what: &'static str },
    #[error("{path} is a {what}: expected a folder")]
    NotAFolder { path: String, what: &'static str },
    #[error(
        "{path} claims {bytes} bytes but has only {on_disk} on disk: sparse files are not taken, write what the file holds"
    )]
    Sparse { path: String, bytes: u64, on_disk: u64 },
    #[error("{folder} has a name that is not valid UTF-8: {shown} (name it in UTF-8)")]
    NameNotUtf8 { folder: String, shown: String },
    #[error("{folder} has a name with a control character: {shown} (name it without)")]
    NameControl { folder: String, shown: String },
    #[error("{folder} has a name of {bytes} bytes, at most {bytes_max} are allowed: {shown} (shorten it)")]
    NameTooLong { folder: String, shown: String, bytes: usize, bytes_max: u64 },
    #[error("{folder} has both {first:?} and {second:?}, which differ only in case (rename one)")]
    CaseCollision { folder: String, first: String, second: String },
    #[error(
        "{folder} has more than {entries_max} entries: write fewer and larger files, or raise `outputs.entries_max` in \
         the settings"
    )]
    TooMany { folder: String, entries_max: u64 },
    #[error("{path} has {bytes} bytes, at most {bytes_max} are read (write less into it)")]
    TooLarge { path: String, bytes: u64, bytes_max: u64 },
    #[error(
        "{path} has {bytes} bytes, at most {bytes_max} make a table: write less, or raise `outputs.table_bytes_max` in \
         the settings"
    )]
    TableTooLarge { path: String, bytes: u64, bytes_max: u64 },
    #[error("{path} may not be read: the component took the permission away (leave it readable)")]
    Unreadable { path: String },
    #[error("could not read {path}")]
    Io { path: String, source: io::Error },
}

/// A folder below the data folder, held open, so that nobody can put another in its place.
#[derive(Debug)]
pub(super) struct OutputFolder {
    fd: OwnedFd,
    path: PathBuf,
    /// As people know it: `out/tables`.
    pub(super) shown: String,
    limits: OutputLimits,
}

/// A plain file that was looked at: what is opened later must be the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlainFile {
    /// As people know it: `out/tables/orders.csv`.
    pub shown: String,
    pub bytes: u64,
    pub(super) path: PathBuf,
    device: u64,
    inode: u64,
}

/// One entry of an output folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: EntryKind,
}

#[derive(Debug)]
pub(super) enum EntryKind {
    File(PlainFile),
    Folder,
}

impl OutputFolder {
    /// Opens `shown` (`out/tables`; empty for the data folder itself) below `data`; `None` when the component removed
    /// it.
    pub(super) fn open(data: &Path, shown: &str, limits: OutputLimits) -> Result<Option<Self>, UnsafeError> {
        let mut fd = open_folder_at(CWD, data.as_os_str(), "the data folder")?;
        let mut walked = String::new();
        for part in shown.split('/').filter(|part| !part.is_empty()) {
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(part);
            fd = match fd.map(|parent| open_folder_at(&parent, part, &walked)) {
                Some(opened) => opened?,
                None => return Ok(None),
            };
        }
        Ok(fd.map(|fd| Self { fd, path: data.join(shown), shown: shown.into(), limits }))
    }

    /// Everything in the folder in the order of names, and every complaint. Names with a leading dot are left out.
    pub(super) fn entries(&self) -> (Vec<Entry>, Vec<UnsafeError>) {
        let mut complaints = Vec::new();
        let names = match self.names(&mut complaints) {
            Ok(names) => names,
            Err(complaint) => return (Vec::new(), vec![complaint]),
        };
        complaints.extend(self.case_collisions(&names));
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            match self.look(&name) {
                Ok(kind) => entries.push(Entry { name, kind }),
                Err(complaint) => complaints.push(complaint),
            }
        }
        (entries, complaints)
    }

    /// Looks at one name: a plain file, a folder, or a complaint.
    pub(super) fn look(&self, name: &str) -> Result<EntryKind, UnsafeError> {
        let shown = self.show(name);
        let stat = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| said(errno, &shown))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return Ok(EntryKind::Folder);
        }
        if kind != FileType::RegularFile {
            return Err(UnsafeError::NotAFile { path: shown, what: describe(kind) });
        }
        self.plain_file(name, shown, &stat).map(EntryKind::File)
    }

    /// As [`OutputFolder::look`]; `None` when there is nothing of that name.
    pub(super) fn look_if_there(&self, name: &str) -> Result<Option<EntryKind>, UnsafeError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            Ok(_) | Err(_) => self.look(name).map(Some),
        }
    }

    fn show(&self, name: &str) -> String {
        if self.shown.is_empty() { name.to_owned() } else { format!("{}/{name}", self.shown) }
    }

    fn named(&self) -> String {
        if self.shown.is_empty() { "the data folder".to_owned() } else { self.shown.clone() }
    }

    fn plain_file(&self, name: &str, shown: String, stat: &Stat) -> Result<PlainFile, UnsafeError> {
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let on_disk = u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK_BYTES;
        if bytes > self.limits.sparse_bytes_min && bytes / SPARSE_FACTOR > on_disk {
            return Err(UnsafeError::Sparse { path: shown, bytes, on_disk });
        }
        Ok(PlainFile { shown, bytes, path: self.path.join(name), device: stat.st_dev, inode: stat.st_ino })
    }

    fn names(&self, complaints: &mut Vec<UnsafeError>) -> Result<Vec<String>, UnsafeError> {
        let failed = |errno| said(errno, &self.named());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let raw = entry.file_name().to_bytes();
            if raw.starts_with(b".") {
                continue;
            }
            match self.checked_name(raw) {
                Ok(name) => names.push(name),
                Err(complaint) => complaints.push(complaint),
            }
            let entries_max = self.limits.entries_max;
            if (names.len() + complaints.len()) as u64 > entries_max {
                return Err(UnsafeError::TooMany { folder: self.named(), entries_max });
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn checked_name(&self, raw: &[u8]) -> Result<String, UnsafeError> {
        let folder = self.named();
        let shown = || format!("{:?}", String::from_utf8_lossy(raw));
        let Ok(name) = std::str::from_utf8(raw) else {
            return Err(UnsafeError::NameNotUtf8 { folder, shown: shown() });
        };
        if name.chars().any(char::is_control) {
            return Err(UnsafeError::NameControl { folder, shown: shown() });
        }
        let bytes_max = self.limits.name_bytes_max;
        if name.len() as u64 > bytes_max {
            return Err(UnsafeError::NameTooLong { folder, shown: shown(), bytes: name.len(), bytes_max });
        }
        Ok(name.to_owned())
    }

    fn case_collisions(&self, names: &[String]) -> Vec<UnsafeError> {
        let mut folded: Vec<(String, &String)> =
            names.iter().map(|name| (name.to_lowercase(), name)).collect();
        folded.sort_unstable();
        let pairs = folded.windows(2).filter_map(|pair| match pair {
            [(first, first_name), (second, second_name)] if first == second => {
                Some((*first_name, *second_name))
            }
            _ => None,
        });
        pairs
            .map(|(first, second)| UnsafeError::CaseCollision {
                folder: self.named(),
                first: first.clone(),
                second: second.clone(),
            })
            .collect()
    }
}

impl PlainFile {
    /// Opens the file for reading; an error when another took its place since it was looked at.
    pub(super) fn open(&self) -> Result<File, UnsafeError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let failed = |errno| said(errno, &self.shown);
        let fd = openat(CWD, &self.path, flags, Mode::empty()).map_err(failed)?;
        let stat = fstat(&fd).map_err(failed)?;
        if (stat.st_dev, stat.st_ino) != (self.device, self.inode) {
            return Err(UnsafeError::NotAFile { path: self.shown.clone(), what: "file that was exchanged" });
        }
        Ok(File::from(fd))
    }

    /// The whole text of a small file (a manifest, a state). Bytes that are no UTF-8 are replaced: whoever parses
    /// the text refuses them with a position.
    pub(super) fn read_text(&self, bytes_max: u64) -> Result<String, UnsafeError> {
        let too_large = |bytes| UnsafeError::TooLarge { path: self.shown.clone(), bytes, bytes_max };
        if self.bytes > bytes_max {
            return Err(too_large(self.bytes));
        }
        let mut content = Vec::new();
        let read = self.open()?.take(bytes_max + 1).read_to_end(&mut content);
        read.map_err(|source| UnsafeError::Io { path: self.shown.clone(), source })?;
        if content.len() as u64 > bytes_max {
            return Err(too_large(content.len() as u64));
        }
        Ok(String::from_utf8_lossy(&content).into_owned())
    }
}

fn open_folder_at(
    at: impl std::os::fd::AsFd,
    name: impl rustix::path::Arg + Copy,
    shown: &str,
) -> Result<Option<OwnedFd>, UnsafeError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(&at, name, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let stat = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| said(errno, shown))?;
            let what = describe(FileType::from_raw_mode(stat.st_mode));
            Err(UnsafeError::NotAFolder { path: shown.into(), what })
        }
        Err(errno) => Err(said(errno, shown)),
    }
}

fn said(errno: Errno, shown: &str) -> UnsafeError {
    match errno {
        Errno::ACCESS | Errno::PERM => UnsafeError::Unreadable { path: shown.into() },
        other => UnsafeError::Io { path: shown.into(), source: other.into() },
    }
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "plain file",
        FileType::Directory => "folder",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        FileType::Unknown => "thing of an unknown kind",
    }
}
