//! `PostgreSQL`: the pool, opening, migrations behind an advisory lock.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Row as _, Transaction};

use super::super::error::{doing, is_passing};
use super::super::inspect::Found;
use super::super::{CatalogError, migrations};
use super::{Catalog, Content, Database};
use crate::job::Hidden;

/// A catalog on a `PostgreSQL` server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=…`
    pub(crate) url: Hidden,
    /// Connections of this process, for everything together.
    pub(crate) connections_max: u32,
    /// How long a lost connection is tried again before the work that needs it fails.
    pub(crate) patience: Duration,
}

/// Who opens a catalog may be a person at a terminal: a server that is just starting is waited for, not one that is not
/// there.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for a connection of the pool, or for a new one, before that counts as trouble.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// A commit takes milliseconds. What takes longer hangs, and what hangs within a transaction holds up everybody.
const FOR_ALL: &str = "SET statement_timeout = '60s'; SET lock_timeout = '30s';
                       SET idle_in_transaction_session_timeout = '30s'";
/// Any number, the same in every Longshore.
const MIGRATION_LOCK: &str = "SELECT 1 FROM pg_advisory_xact_lock(5063217740011)";

/// The way to a server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    options: AnyConnectOptions,
    connections_max: u32,
    pool: Arc<RwLock<AnyPool>>,
}

impl Server {
    fn new(options: AnyConnectOptions, connections_max: u32) -> Self {
        let pool = Arc::new(RwLock::new(make_pool(&options, connections_max)));
        Self { options, connections_max, pool }
    }

    pub(super) fn pool(&self) -> AnyPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a new pool. Connections that nobody answers on would otherwise keep their places until the kernel gives
    /// them up, a quarter of an hour later; others go on to the end of what they do.
    pub(super) fn renew(&self) {
        let fresh = make_pool(&self.options, self.connections_max);
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool().begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    pub(super) async fn begin_write(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool().begin_with("BEGIN").await
    }

    pub(super) async fn begin_note(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool().begin_with("BEGIN; SET LOCAL synchronous_commit = off").await
    }
}

impl Catalog {
    /// Opens the catalog on a `PostgreSQL` server, and makes and migrates its tables; the database itself must be there.
    pub(crate) async fn open_postgres(options: &PostgresOptions) -> Result<Self, CatalogError> {
        sqlx::any::install_default_drivers();
        let connect = connect_options(&options.url)?;
        let mut connection = first_connection(&connect, options.patience).await?;
        prepare(&mut connection, &connect).await?;
        connection.close().await.map_err(|source| open_error(&connect, source))?;
        let server = Server::new(connect, options.connections_max);
        Ok(Self { database: Database::Postgres(server), patience: Some(options.patience), acting: None })
    }
}

/// The database as it is.
pub(super) async fn find(options: &PostgresOptions) -> Result<Found, CatalogError> {
    sqlx::any::install_default_drivers();
    let connect = connect_options(&options.url)?;
    let mut connection = first_connection(&connect, options.patience).await?;
    let is_catalog = check_content(&mut connection, &connect).await?;
    let describe = "SELECT 'PostgreSQL ' || current_setting('server_version') AS database,
                           pg_database_size(current_database()) AS bytes";
    Ok(Found { connection, place: address(&connect), is_catalog, describe })
}

fn make_pool(options: &AnyConnectOptions, connections_max: u32) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _metadata| {
            Box::pin(async move { sqlx::raw_sql(FOR_ALL).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options.clone())
}

fn connect_options(url: &Hidden) -> Result<AnyConnectOptions, CatalogError> {
    let problem = "catalog.url is no address: it is postgres://user:password@host:port/database, with %40 for @ and \
                   %2F for / within the password";
    // The parser's own complaint might quote the password.
    let options: AnyConnectOptions =
        url.reveal().parse().map_err(|_quoting| CatalogError::Address { problem })?;
    let mut options = options.disable_statement_logging();
    let url = &mut options.database_url;
    let is_torn = url.path().contains('@') || url.fragment().is_some();
    if !matches!(url.scheme(), "postgres" | "postgresql") || url.host().is_none() || is_torn {
        return Err(CatalogError::Address { problem });
    }
    if !url.query_pairs().any(|(key, _)| key == "application_name") {
        url.query_pairs_mut().append_pair("application_name", "longshore");
    }
    Ok(options)
}

/// The address without the password and the parameters.
fn address(options: &AnyConnectOptions) -> String {
    let url = &options.database_url;
    let port = url.port().unwrap_or(5432);
    format!("postgres://{}@{}:{port}{}", url.username(), url.host_str().unwrap_or_default(), url.path())
}

async fn first_connection(
    options: &AnyConnectOptions,
    patience: Duration,
) -> Result<AnyConnection, CatalogError> {
    let deadline = Instant::now() + patience.min(OPEN_PATIENCE);
    loop {
        let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
        let error = match connected {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_elapsed) => sqlx::Error::PoolTimedOut,
        };
        if !is_passing(&error) || Instant::now() >= deadline {
            return Err(open_error(options, error));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Whether the database is a catalog already; it must be that or empty.
async fn check_content(
    connection: &mut AnyConnection,
    options: &AnyConnectOptions,
) -> Result<bool, CatalogError> {
    match content(connection).await.map_err(|source| open_error(options, source))? {
        Content::Nothing => Ok(false),
        Content::Catalog => Ok(true),
        Content::SomethingElse => {
            let what = "it holds another program's tables";
            Err(CatalogError::NotACatalogServer { address: address(options), what })
        }
    }
}

/// Brings the database up to date.
async fn prepare(connection: &mut AnyConnection, options: &AnyConnectOptions) -> Result<(), CatalogError> {
    if check_content(connection, options).await?
        && migrations::version(connection).await? == migrations::KNOWN_VERSION
    {
        return Ok(());
    }
    let action = || doing("migrate the catalog");
    let mut transaction = connection.begin_with("BEGIN").await.map_err(action())?;
    sqlx::raw_sql(MIGRATION_LOCK).execute(&mut *transaction).await.map_err(action())?;
    migrations::apply(&mut transaction).await?;
    transaction.commit().await.map_err(action())
}

async fn content(connection: &mut AnyConnection) -> Result<Content, sqlx::Error> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS tables, COUNT(CASE WHEN table_name = 'schema_versions' THEN 1 END) AS ours
         FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'",
    )
    .fetch_one(connection)
    .await?;
    Ok(Content::of(row.try_get("tables")?, row.try_get("ours")?))
}

/// Says what to do about it.
fn open_error(options: &AnyConnectOptions, source: sqlx::Error) -> CatalogError {
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let hint = match code.as_deref() {
        Some("28P01" | "28000") => "the server refuses this user or password, see catalog.url",
        Some("3D000") => "the server has no such database; make it with createdb",
        Some("42501") => "the user may not use or make tables there; grant it the schema",
        Some("53300") => {
            "the server has too many connections; lower catalog.connections_max or raise its limit"
        }
        Some(_) => "the server refuses",
        None if matches!(source, sqlx::Error::Tls(_)) => {
            "no TLS connection could be made, see sslmode and sslrootcert in catalog.url"
        }
        None => "no PostgreSQL answers there, see catalog.url",
    };
    CatalogError::OpenServer { address: address(options), hint: hint.to_owned(), source }
}
