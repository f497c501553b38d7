//! The data folder as it stands, packed into one file for a person who debugs a component.
//!
//! Configuration and states go in masked, whatever else lies there as it is. What is unsafe to read is left out and
//! told, never an error: the archive is there to see what went wrong. Streams; stores, but commits nothing.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tar::{Builder, EntryType, Header};

use super::beneath::{Entry, EntryKind, OutputFolder, PlainFile, UnsafeError};
use super::data_folder::{CONFIDENTIAL, DataFolder};
use super::shelf::{Origin, Shelf};
use super::threads::blocking;
use super::upload::Prepared;
use crate::blob::{BlobError, BlobStore, Source, is_disk_full};
use crate::catalog::NewFile;
use crate::component::document;
use crate::events::Redactor;
use crate::job::OutputLimits;

/// Stands for every value under a key that begins with `#`.
const MASK: &str = "[hidden]";
/// A configuration or state is a page; a larger one is left out rather than held in memory.
const CONFIDENTIAL_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Deeper folders are left out: every tool that unpacks the archive has a longest path.
const DEPTH_MAX: usize = 64;
const ENTRIES_MAX: u64 = 100_000;
/// What is left out is told one by one up to here, then counted.
const TOLD_MAX: usize = 20;
/// Speed matters more than size: the archive is looked at once.
const ZSTD_LEVEL: i32 = 1;
const WRITE_BYTES: usize = 256 * 1024;

/// Which archive is asked for.
#[derive(Debug)]
pub(crate) struct ArchiveOrder {
    /// Names the file (`stage_0.tar.zst`) and is its tag.
    pub stage: &'static str,
    /// Further tags.
    pub tags: Vec<String>,
    pub origin: Origin,
    /// Of all files together, before compression.
    pub bytes_max: u64,
    /// Finds secrets that the configuration repeats where no `#` key says so.
    pub redactor: Redactor,
}

/// A stored archive that nobody can see before its commit.
#[derive(Debug)]
pub(crate) struct Archived {
    pub prepared: Prepared,
    /// In sentences.
    pub left_out: Vec<String>,
}

/// Why there is no archive; never something the component did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("could not {action} the archive {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("could not store the archive {name}")]
    Blob { name: String, source: BlobError },
}

impl ArchiveError {
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_disk_full(source),
            Self::Blob { source, .. } => source.is_disk_full(),
        }
    }
}

/// Packs the whole data folder and stores it.
pub(crate) async fn archive(
    folder: &DataFolder,
    order: ArchiveOrder,
    blob: &BlobStore,
) -> Result<Archived, ArchiveError> {
    let ArchiveOrder { stage, tags, origin, bytes_max, redactor } = order;
    let name = format!("{stage}.tar.zst");
    let failed = |source| ArchiveError::Blob { name: name.clone(), source };
    let shelf = Shelf::fresh(origin);
    let key = shelf.file(shelf.number()).map_err(failed)?;
    let scratch = blob.clone();
    let scratch = blocking(move || scratch.scratch()).await.map_err(failed)?;
    let path = scratch.path().join(&name);
    let packed = {
        let (folder, path) = (folder.clone(), path.clone());
        blocking(move || {
            pack(&folder.data(), &path, bytes_max, redactor).map_err(|source| ArchiveError::Io {
                action: "write",
                path,
                source,
            })
        })
        .await
    };
    let stored = match packed {
        Ok(left_out) => {
            let stored = blob.put_file(&key, &path, Source::Move).await;
            stored.map(|bytes| (bytes, left_out)).map_err(failed)
        }
        Err(error) => Err(error),
    };
    blocking(move || drop(scratch)).await;
    let (bytes, left_out) = stored?;
    let mut all_tags = vec!["debug".to_owned(), stage.to_owned()];
    all_tags.extend(tags);
    let file = NewFile {
        blob: key,
        name,
        bytes,
        tags: all_tags,
        is_permanent: false,
        is_public: false,
        is_sliced: false,
    };
    Ok(Archived { prepared: Prepared { tables: Vec::new(), files: vec![file], shelf, origin }, left_out })
}

fn pack(data: &Path, path: &Path, bytes_max: u64, redactor: Redactor) -> io::Result<Vec<String>> {
    let file = BufWriter::with_capacity(WRITE_BYTES, File::create_new(path)?);
    let tar = Builder::new(zstd::Encoder::new(file, ZSTD_LEVEL)?);
    let mut packer =
        Packer { data, tar, redactor, bytes_left: bytes_max, entries: 0, left_out: LeftOut::default() };
    packer.walk()?;
    packer.tar.into_inner()?.finish()?.flush()?;
    Ok(packer.left_out.into_sentences())
}

struct Packer<'a, W: Write> {
    data: &'a Path,
    tar: Builder<W>,
    redactor: Redactor,
    bytes_left: u64,
    entries: u64,
    left_out: LeftOut,
}

#[derive(Default)]
struct LeftOut {
    told: Vec<String>,
    untold: u64,
}

impl LeftOut {
    fn tell(&mut self, sentence: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(sentence);
        } else {
            self.untold += 1;
        }
    }

    fn into_sentences(mut self) -> Vec<String> {
        if self.untold > 0 {
            self.told.push(format!("{} more are left out", self.untold));
        }
        self.told
    }
}

impl<W: Write> Packer<'_, W> {
    /// Every folder by its path from the top, so that no stack and no set of open folders grows with the depth.
    fn walk(&mut self) -> io::Result<()> {
        let mut waiting = vec![String::new()];
        while let Some(shown) = waiting.pop() {
            let (entries, complaints) = self.entries_of(&shown);
            for complaint in complaints {
                self.left_out.tell(complaint.to_string());
            }
            let mut folders = Vec::new();
            for Entry { name, kind } in entries {
                let shown = if shown.is_empty() { name } else { format!("{shown}/{name}") };
                self.entries += 1;
                if self.entries > ENTRIES_MAX {
                    self.left_out.tell(format!("the data folder has more than {ENTRIES_MAX} entries"));
                    return Ok(());
                }
                match kind {
                    EntryKind::File(file) => self.file(&file)?,
                    EntryKind::Folder if shown.split('/').count() > DEPTH_MAX => {
                        self.left_out.tell(format!("{shown} lies more than {DEPTH_MAX} folders deep"));
                    }
                    EntryKind::Folder => {
                        self.folder(&shown)?;
                        folders.push(shown);
                    }
                }
            }
            // The last of them is walked first.
            waiting.extend(folders.into_iter().rev());
        }
        Ok(())
    }

    /// What is safe to read, and what is not. Names that differ only in case are a matter of publishing.
    fn entries_of(&self, shown: &str) -> (Vec<Entry>, Vec<UnsafeError>) {
        let (entries, mut complaints) = match OutputFolder::open(self.data, shown, OutputLimits::default()) {
            Ok(Some(folder)) => folder.entries(),
            Ok(None) => (Vec::new(), Vec::new()),
            Err(complaint) => (Vec::new(), vec![complaint]),
        };
        complaints.retain(|complaint| !matches!(complaint, UnsafeError::CaseCollision { .. }));
        (entries, complaints)
    }

    fn folder(&mut self, shown: &str) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o755);
        self.tar.append_data(&mut header, format!("{shown}/"), io::empty())
    }

    fn file(&mut self, file: &PlainFile) -> io::Result<()> {
        if CONFIDENTIAL.contains(&file.shown.as_str()) {
            return self.confidential(file);
        }
        if file.bytes > self.bytes_left {
            let sentence = format!("{} with {} bytes is over the size limit", file.shown, file.bytes);
            self.left_out.tell(sentence);
            return Ok(());
        }
        let opened = match file.open() {
            Ok(opened) => opened,
            Err(complaint) => {
                self.left_out.tell(complaint.to_string());
                return Ok(());
            }
        };
        let metadata = opened.metadata()?;
        self.bytes_left -= file.bytes;
        let mut header = Header::new_gnu();
        header.set_size(file.bytes);
        header.set_mode(metadata.permissions().mode() & 0o777);
        header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
        // The header has said how long the file is; should it change now, it is cut, or filled with zeros.
        let content = opened.chain(io::repeat(0)).take(file.bytes);
        self.tar.append_data(&mut header, &file.shown, content)
    }

    fn confidential(&mut self, file: &PlainFile) -> io::Result<()> {
        let text = match file.read_text(CONFIDENTIAL_BYTES_MAX) {
            Ok(text) => text,
            Err(complaint) => {
                self.left_out.tell(complaint.to_string());
                return Ok(());
            }
        };
        let masked = match document::parse(&text, &file.shown) {
            Ok(node) => masked(node.to_json(), &self.redactor),
            Err(complaints) => {
                // What in it is secret cannot be told, so nothing of it is shown.
                let place = complaints.0.first().and_then(|first| Some((first.line?, first.column?)));
                let place = place.map(|(line, column)| format!(" at line {line}, column {column}"));
                let sentence =
                    format!("{} cannot be read{}, so it is hidden", file.shown, place.unwrap_or_default());
                self.left_out.tell(sentence.clone());
                json!({ MASK: sentence })
            }
        };
        let text = format!("{masked:#}\n");
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        self.tar.append_data(&mut header, &file.shown, text.as_bytes())
    }
}

/// The document with everything under `#` keys hidden, and known secrets in any other text.
fn masked(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
        Value::String(text) => Value::String(redactor.mask(&text)),
        Value::Array(values) => values.into_iter().map(|value| masked(value, redactor)).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let value = if key.starts_with('#') { MASK.into() } else { masked(value, redactor) };
                    (redactor.mask(&key), value)
                })
                .collect::<Map<_, _>>(),
        ),
    }
}
