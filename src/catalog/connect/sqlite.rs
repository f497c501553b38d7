//! `SQLite`: a file, opened by three ways in, because it takes one writer at a time and its waiting for a lock is a
//! crude sleep. Writers of one process queue here instead, and a reader never waits for a writer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Row as _, Transaction};

use super::super::error::{is_busy, is_not_a_database};
use super::super::inspect::Found;
use super::super::{CatalogError, migrations};
use super::{Catalog, Content, Database};

#[derive(Debug, Clone)]
pub(super) struct Pools {
    reads: AnyPool,
    /// What is published or has ended is on disk before the call returns, power cuts included.
    writes: AnyPool,
    /// What a job says on its way survives a killed process, but the last of it not a power cut.
    notes: AnyPool,
    /// The connection that the catalog was opened with. Were it closed before the pools have theirs, it would be the
    /// last one, and `SQLite` would fold the log into the file and begin a new one: several disk flushes a command.
    _first: Arc<Mutex<AnyConnection>>,
}

/// Readers beside each other; each has a thread.
const READERS_MAX: u32 = 4;
/// How long to queue behind our own writers. Longer than `SQLite` waits for the writers of other processes, so that the
/// error of the one who really waits comes first.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(90);
/// Waits up to 30 s for writers of other processes. A commit takes milliseconds; only a stopped process holds a lock
/// that long.
const FOR_READS: &str = "PRAGMA busy_timeout = 30000; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL;";
const FOR_WRITES: &str = "PRAGMA busy_timeout = 30000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;";

/// What keeps its meaning in the path of a URL.
const PLAIN_IN_PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

impl Catalog {
    /// Opens (and makes, and migrates) the `SQLite` catalog at `path`.
    pub(crate) async fn open_sqlite(path: &Path) -> Result<Self, CatalogError> {
        sqlx::any::install_default_drivers();
        let path = with_real_parent(path.to_owned()).await?;
        let options = sqlite_options(&path)?;
        let first = prepare(&path, &options).await?;
        let pool = |pragmas: &'static str, connections_max: u32| {
            AnyPoolOptions::new()
                .max_connections(connections_max)
                .acquire_timeout(QUEUE_TIMEOUT)
                // A connection to a file does not go stale.
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .after_connect(move |connection, _metadata| {
                    Box::pin(async move { sqlx::raw_sql(pragmas).execute(connection).await.map(drop) })
                })
                .connect_lazy_with(options.clone())
        };
        let pools = Pools {
            reads: pool(FOR_READS, READERS_MAX),
            writes: pool(FOR_WRITES, 1),
            notes: pool(FOR_READS, 1),
            _first: Arc::new(Mutex::new(first)),
        };
        Ok(Self { database: Database::Sqlite(pools), patience: None, acting: None })
    }
}

/// The file as it is.
pub(super) async fn find(path: &Path) -> Result<Option<Found>, CatalogError> {
    sqlx::any::install_default_drivers();
    let is_there = tokio::fs::try_exists(path).await;
    let is_there = is_there.map_err(|source| CatalogError::Directory { path: path.to_owned(), source })?;
    if !is_there {
        return Ok(None);
    }
    let path = with_real_parent(path.to_owned()).await?;
    let options = sqlite_options(&path)?;
    let mut connection = options.connect().await.map_err(|source| open_error(&path, source))?;
    let is_catalog = check_content(&mut connection, &path).await?;
    let describe = "SELECT 'SQLite ' || sqlite_version() AS database, page_count * page_size AS bytes
                    FROM pragma_page_count(), pragma_page_size()";
    Ok(Some(Found { connection, place: path.display().to_string(), is_catalog, describe }))
}

impl Pools {
    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.reads.begin_with("BEGIN").await
    }

    pub(super) async fn begin_write(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        begin_immediate(&self.writes).await
    }

    pub(super) async fn begin_note(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        begin_immediate(&self.notes).await
    }

    #[cfg(test)]
    pub(super) fn back_door(&self) -> AnyPool {
        self.notes.clone()
    }
}

/// `SQLite` ends a transaction by itself when a disk is full, and the client library then takes the connection to be
/// within that transaction for ever. Such a connection is closed and another one made.
async fn begin_immediate(pool: &AnyPool) -> Result<Transaction<'static, Any>, sqlx::Error> {
    match pool.begin_with("BEGIN IMMEDIATE").await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            pool.acquire().await?.close().await?;
            pool.begin_with("BEGIN IMMEDIATE").await
        }
        begun => begun,
    }
}

/// Makes the directory of the file and resolves its links: a URL would take `..` apart by text alone.
async fn with_real_parent(path: PathBuf) -> Result<PathBuf, CatalogError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let made = tokio::task::spawn_blocking({
        let parent = parent.clone();
        move || {
            std::fs::create_dir_all(&parent)?;
            parent.canonicalize()
        }
    });
    let real = match made.await {
        Ok(result) => result,
        Err(cut_off) => Err(cut_off.into()),
    };
    let real = real.map_err(|source| CatalogError::Directory { path: parent, source })?;
    Ok(match path.file_name() {
        Some(name) => real.join(name),
        None => real,
    })
}

fn sqlite_options(path: &Path) -> Result<AnyConnectOptions, CatalogError> {
    let Some(text) = path.to_str() else {
        return Err(CatalogError::PathNotText { path: path.to_owned() });
    };
    let url = format!("sqlite://{}?mode=rwc", utf8_percent_encode(text, &PLAIN_IN_PATH));
    let options: AnyConnectOptions =
        url.parse().map_err(|source| CatalogError::Open { path: path.to_owned(), source })?;
    Ok(options.disable_statement_logging())
}

fn open_error(path: &Path, source: sqlx::Error) -> CatalogError {
    if is_not_a_database(&source) {
        CatalogError::NotACatalog { path: path.to_owned(), what: "it is no SQLite database" }
    } else {
        CatalogError::Open { path: path.to_owned(), source }
    }
}

/// Whether the file is a catalog already; it must be that or fresh.
async fn check_content(connection: &mut AnyConnection, path: &Path) -> Result<bool, CatalogError> {
    match content(connection).await.map_err(|source| open_error(path, source))? {
        Content::Nothing => Ok(false),
        Content::Catalog => Ok(true),
        Content::SomethingElse => {
            let what = "it is another program's database";
            Err(CatalogError::NotACatalog { path: path.to_owned(), what })
        }
    }
}

/// Brings the file up to date. Returns the connection that did so.
async fn prepare(path: &Path, options: &AnyConnectOptions) -> Result<AnyConnection, CatalogError> {
    let failed = |source| open_error(path, source);
    let mut connection = options.connect().await.map_err(failed)?;
    sqlx::raw_sql(FOR_WRITES).execute(&mut connection).await.map_err(failed)?;
    let is_current = check_content(&mut connection, path).await?
        && migrations::version(&mut connection).await? == migrations::KNOWN_VERSION;
    if !is_current {
        switch_to_wal(&mut connection).await.map_err(failed)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        migrations::apply(&mut transaction).await?;
        transaction.commit().await.map_err(failed)?;
    }
    Ok(connection)
}

async fn content(connection: &mut AnyConnection) -> Result<Content, sqlx::Error> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS tables, COUNT(CASE WHEN name = 'schema_versions' THEN 1 END) AS ours
         FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_one(connection)
    .await?;
    Ok(Content::of(row.try_get("tables")?, row.try_get("ours")?))
}

/// Write-ahead log: readers and a writer do not wait for each other. The file remembers it.
async fn switch_to_wal(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut attempts_left = 300;
    loop {
        match sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await {
            Ok(_) => return Ok(()),
            // For this one statement SQLite does not wait by itself when another process does the same.
            Err(error) if is_busy(&error) && attempts_left > 0 => attempts_left -= 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
