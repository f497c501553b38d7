//! What the container says, kept on disk: one writer that nobody can hold up, and readers that follow at their pace.
//!
//! A record is: stream (1 byte), time (8, nanoseconds since 1970), length (4), bytes; numbers little-endian.
//! Readers are told of whole records only, after they are written, so they never meet half of one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex, watch};

use super::Stream;
use crate::blob::is_disk_full;

const HEADER_BYTES: usize = 13;
/// Far above the engine's 16 KiB pieces: a longer record means a damaged file.
const RECORD_BYTES_MAX: u32 = 16 << 20;
const READ_BUFFER_BYTES: usize = 256 << 10;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error("cannot {action} the log spool {path}", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the log spool {path} is damaged at byte {position}", path = path.display())]
    Damaged { path: PathBuf, position: u64 },
}

impl SpoolError {
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_disk_full(source),
            Self::Damaged { .. } => false,
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    fn from_io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// A line with its end, or a piece of a longer line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpoolRecord {
    pub stream: Stream,
    pub time: Timestamp,
    pub bytes: Vec<u8>,
}

/// The writing end; its clones write to the same spool in turn. When the last is dropped the spool is finished.
#[derive(Debug, Clone)]
pub(crate) struct SpoolWriter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    pen: Mutex<Pen>,
    /// Bytes of complete records on disk; closed when the writers are gone.
    written: watch::Sender<u64>,
    /// Of these the component's own bytes, whichever way they came.
    said: AtomicU64,
}

#[derive(Debug)]
struct Pen {
    file: File,
    buffer: Vec<u8>,
    /// A write failed and may have left half a record: nothing is written behind it.
    failed: Option<io::ErrorKind>,
}

impl SpoolWriter {
    /// Begins a new spool; an older one of the same path is emptied.
    pub(crate) async fn create(path: &Path) -> Result<Self, SpoolError> {
        let file = File::create(path).await.map_err(|error| SpoolError::from_io("create", path, error))?;
        Ok(Self::of(file, path, 0, 0))
    }

    /// Goes on with the spool that a dead writer left. GELF messages are kept, because nobody can hear them again; the rest
    /// is read from the engine anew.
    pub(crate) async fn resume(path: &Path) -> Result<Self, SpoolError> {
        let failed = |error| SpoolError::from_io("resume", path, error);
        let next = path.with_extension("next");
        let mut old = match SpoolReader::of_dead(path).await {
            Ok(old) => old,
            Err(error) if error.is_missing() => return Self::create(path).await,
            Err(error) => return Err(error),
        };
        let writer = Self::create(&next).await?;
        // What is damaged is the end, where the writer died within a record.
        while let Ok(Some(record)) = old.next().await {
            if record.stream == Stream::Gelf {
                writer.append(&[record]).await?;
            }
        }
        let (length, said) = (*writer.shared.written.borrow(), writer.said());
        drop(writer);
        // In one step: who dies here leaves the one or the other.
        tokio::fs::rename(&next, path).await.map_err(failed)?;
        let file = File::options().append(true).open(path).await.map_err(failed)?;
        Ok(Self::of(file, path, length, said))
    }

    fn of(file: File, path: &Path, length: u64, said: u64) -> Self {
        let pen = Mutex::new(Pen { file, buffer: Vec::new(), failed: None });
        let (written, said) = (watch::Sender::new(length), AtomicU64::new(said));
        let shared = Shared { path: path.to_owned(), pen, written, said };
        Self { shared: Arc::new(shared) }
    }

    /// A reader from the beginning. May outlive the writer.
    pub(crate) async fn reader(&self) -> Result<SpoolReader, SpoolError> {
        SpoolReader::open(&self.shared.path, self.shared.written.subscribe()).await
    }

    /// Follows how many bytes are written.
    pub(super) fn size(&self) -> watch::Receiver<u64> {
        self.shared.written.subscribe()
    }

    /// How many bytes the component has said by all ways together, those that a dead writer kept included.
    pub(super) fn said(&self) -> u64 {
        self.shared.said.load(Ordering::Relaxed)
    }

    /// Writes records and tells the readers. After an error nothing of this batch counts.
    pub(crate) async fn append(&self, records: &[SpoolRecord]) -> Result<(), SpoolError> {
        let mut pen = self.shared.pen.lock().await;
        let written = pen.write(records).await;
        let length = written.map_err(|error| SpoolError::from_io("write", &self.shared.path, error))?;
        // Still in turn, so that the count never runs ahead of the file.
        self.shared.written.send_modify(|total| *total += length);
        let said = records.iter().map(|record| record.bytes.len() as u64).sum();
        self.shared.said.fetch_add(said, Ordering::Relaxed);
        Ok(())
    }
}

impl Pen {
    /// Returns how many bytes the records took.
    async fn write(&mut self, records: &[SpoolRecord]) -> io::Result<u64> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        self.buffer.clear();
        for record in records {
            encode(&mut self.buffer, record);
        }
        let written = async {
            self.file.write_all(&self.buffer).await?;
            self.file.flush().await
        };
        let written = written.await;
        self.failed = written.as_ref().err().map(io::Error::kind);
        written.map(|()| self.buffer.len() as u64)
    }
}

/// A reading end.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    file: BufReader<File>,
    path: PathBuf,
    position: u64,
    written: watch::Receiver<u64>,
}

impl SpoolReader {
    async fn open(path: &Path, written: watch::Receiver<u64>) -> Result<Self, SpoolError> {
        let file = File::open(path).await.map_err(|error| SpoolError::from_io("open", path, error))?;
        let file = BufReader::with_capacity(READ_BUFFER_BYTES, file);
        Ok(Self { file, path: path.to_owned(), position: 0, written })
    }

    /// Reads what a dead writer left.
    async fn of_dead(path: &Path) -> Result<Self, SpoolError> {
        let (_gone, written) = watch::channel(u64::MAX);
        Self::open(path, written).await
    }

    /// The next record, as soon as there is one; `None` after the writer has finished and all was read.
    pub(crate) async fn next(&mut self) -> Result<Option<SpoolRecord>, SpoolError> {
        let position = self.position;
        if *self.written.borrow() <= position {
            // An error here means that the writer is gone; what it had written may still be ahead.
            let more = self.written.wait_for(|written| *written > position).await.is_ok();
            if !more && *self.written.borrow() <= position {
                return Ok(None);
            }
        }
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header).await?;
        let (stream, time, length) = decode(header).ok_or_else(|| self.damaged())?;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes).await?;
        self.position += (HEADER_BYTES + length) as u64;
        Ok(Some(SpoolRecord { stream, time, bytes }))
    }

    /// What has been written by now, at least one record and not too many; nothing at the end. A record at a time
    /// would cost more to hand over than to read.
    pub(crate) async fn next_batch(&mut self) -> Result<Vec<SpoolRecord>, SpoolError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(record) = self.next().await? {
            bytes += HEADER_BYTES + record.bytes.len();
            batch.push(record);
            if bytes >= READ_BUFFER_BYTES || *self.written.borrow() <= self.position {
                break;
            }
        }
        Ok(batch)
    }

    async fn fill(&mut self, buffer: &mut [u8]) -> Result<(), SpoolError> {
        match self.file.read_exact(buffer).await {
            Ok(_count) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged()),
            Err(error) => Err(SpoolError::from_io("read", &self.path, error)),
        }
    }

    fn damaged(&self) -> SpoolError {
        SpoolError::Damaged { path: self.path.clone(), position: self.position }
    }
}

fn encode(buffer: &mut Vec<u8>, record: &SpoolRecord) {
    let stream = match record.stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
        Stream::Gelf => 3,
    };
    // Times beyond the year 2262 do not fit; the log of such a job may show the last one that does.
    let time = i64::try_from(record.time.as_nanosecond()).unwrap_or(i64::MAX);
    for piece in pieces(&record.bytes) {
        buffer.push(stream);
        buffer.extend_from_slice(&time.to_le_bytes());
        buffer.extend_from_slice(&(u32::try_from(piece.len()).unwrap_or(RECORD_BYTES_MAX)).to_le_bytes());
        buffer.extend_from_slice(piece);
    }
}

/// A record too long for its length field becomes several, as a long line does at the engine.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (first, rest) = bytes.split_at(bytes.len().min(RECORD_BYTES_MAX as usize));
    std::iter::once(first).chain(rest.chunks(RECORD_BYTES_MAX as usize))
}

fn decode(header: [u8; HEADER_BYTES]) -> Option<(Stream, Timestamp, usize)> {
    let (stream, rest) = header.split_first()?;
    let (time, length) = rest.split_at_checked(8)?;
    let stream = match stream {
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        3 => Stream::Gelf,
        _ => return None,
    };
    let time = Timestamp::from_nanosecond(i64::from_le_bytes(time.try_into().ok()?).into()).ok()?;
    let length = u32::from_le_bytes(length.try_into().ok()?);
    (length <= RECORD_BYTES_MAX).then_some((stream, time, length as usize))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(stream: Stream, bytes: &[u8]) -> SpoolRecord {
        SpoolRecord { stream, time: "2026-11-22T20:19:39.123456789Z".parse().unwrap(), bytes: bytes.to_vec() }
    }

    async fn read_all(mut reader: SpoolReader) -> Vec<SpoolRecord> {
        let mut records = Vec::new();
        loop {
            let batch = reader.next_batch().await.unwrap();
            if batch.is_empty() {
                return records;
            }
            records.extend(batch);
        }
    }

    #[tokio::test]
    async fn a_reader_sees_each_record_as_it_comes_and_the_end_after_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let writer = SpoolWriter::create(&folder.path().join("log")).await.unwrap();
        let mut reader = writer.reader().await.unwrap();
        let (one, two) = (record(Stream::Stdout, b"one\n"), record(Stream::Stderr, b"two"));
        writer.append(std::slice::from_ref(&one)).await.unwrap();
        assert_eq!(reader.next().await.unwrap(), Some(one));
        let waiting = tokio::task::JoinSet::from_iter([read_all(reader)]);
        writer.append(std::slice::from_ref(&two)).await.unwrap();
        drop(writer);
        assert_eq!(waiting.join_all().await, [vec![two]]);
    }

    #[tokio::test]
    async fn a_record_larger_than_a_reader_believes_in_is_written_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let writer = SpoolWriter::create(&folder.path().join("log")).await.unwrap();
        let reader = writer.reader().await.unwrap();
        let most = RECORD_BYTES_MAX as usize;
        writer.append(&[record(Stream::Gelf, &vec![b'x'; 2 * most + 1])]).await.unwrap();
        drop(writer);
        let sizes: Vec<usize> = read_all(reader).await.iter().map(|record| record.bytes.len()).collect();
        assert_eq!(sizes, [most, most, 1]);
    }

    #[tokio::test]
    async fn a_full_disk_is_its_own_error() {
        let writer = SpoolWriter::create(Path::new("/dev/full")).await.unwrap();
        let error = writer.append(&[record(Stream::Stdout, b"x")]).await.unwrap_err();
        assert!(error.is_disk_full(), "{error:?}");
    }

    /// The file may end in half a record, which nothing must follow.
    #[tokio::test]
    async fn nothing_is_written_after_a_write_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        let (reader, writer) = tokio::join!(File::open(&path), SpoolWriter::create(&path));
        drop(reader.unwrap());
        let (writer, some) = (writer.unwrap(), [record(Stream::Stdout, b"x")]);
        writer.append(&some).await.unwrap_err();
        let _reader_again = File::open(&path).await.unwrap();
        writer.append(&some).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_damaged_spool_is_named_with_its_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let writer = SpoolWriter::create(&path).await.unwrap();
        let mut reader = writer.reader().await.unwrap();
        writer.append(&[record(Stream::Stdout, b"four")]).await.unwrap();
        tokio::fs::write(&path, [9; 17]).await.unwrap();
        let error = reader.next().await.unwrap_err();
        assert!(matches!(error, SpoolError::Damaged { position: 0, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn what_is_kept_of_a_dead_writer_counts_as_said_and_what_is_read_anew_does_not_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let writer = SpoolWriter::create(&path).await.unwrap();
        writer.append(&[record(Stream::Stdout, b"four"), record(Stream::Gelf, b"seven--")]).await.unwrap();
        assert_eq!(writer.said(), 11);
        drop(writer);
        let heir = SpoolWriter::resume(&path).await.unwrap();
        assert_eq!(heir.said(), 7);
        heir.append(&[record(Stream::Stdout, b"four")]).await.unwrap();
        assert_eq!(heir.said(), 11);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read(batches in prop::collection::vec(
            prop::collection::vec((any::<bool>(), 0i64..4_000_000_000_000_000_000, prop::collection::vec(any::<u8>(), 0..300)), 0..6), 0..6,
        )) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let folder = tempfile::tempdir().unwrap();
                let writer = SpoolWriter::create(&folder.path().join("log")).await.unwrap();
                let reader = writer.reader().await.unwrap();
                let batches: Vec<Vec<SpoolRecord>> = batches.into_iter().map(|batch| batch.into_iter().map(|(out, nanos, bytes)| {
                    let stream = if out { Stream::Stdout } else { Stream::Stderr };
                    SpoolRecord { stream, time: Timestamp::from_nanosecond(nanos.into()).unwrap(), bytes }
                }).collect()).collect();
                for batch in &batches {
                    writer.append(batch).await.unwrap();
                }
                drop(writer);
                assert_eq!(read_all(reader).await, batches.concat());
            });
        }
    }
}
