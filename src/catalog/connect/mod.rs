//! The open catalog and its transactions. Everything that only one of the databases knows is in this folder.

mod postgres;
mod sqlite;

use std::time::Duration;

use sqlx::{Any, Transaction};

use crate::job::WorkerId;

use super::error::doing;
use super::inspect::Found;
use super::{CatalogError, CatalogPlace};

pub(crate) use postgres::PostgresOptions;

/// The catalog: a `SQLite` file or a database on a `PostgreSQL` server, one SQL for both. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    database: Database,
    /// How long a lost connection is tried again. `None`: there is none that could be lost.
    pub(super) patience: Option<Duration>,
    acting: Option<WorkerId>,
}

#[derive(Debug, Clone)]
enum Database {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Server),
}

impl Catalog {
    /// The same catalog as this worker sees it: it moves, ends and publishes for attempts only while they are its own.
    /// Without, only the attempt's number counts, which it keeps when another worker takes it over.
    pub(crate) fn acting_as(&self, worker: WorkerId) -> Self {
        Self { acting: Some(worker), ..self.clone() }
    }

    /// The worker that asks; empty for whoever.
    pub(super) fn acting(&self) -> &str {
        self.acting.as_ref().map_or("", WorkerId::as_str)
    }

    /// A transaction in which everything is read as of one moment.
    pub(super) async fn begin_read(&self) -> Result<Transaction<'static, Any>, CatalogError> {
        let begun = match &self.database {
            Database::Sqlite(pools) => pools.begin_read().await,
            Database::Postgres(server) => server.begin_read().await,
        };
        begun.map_err(doing("begin reading the catalog"))
    }

    /// A transaction that writes; on disk when its commit returns, power cuts included. What it reads holds until it
    /// ends on `SQLite`, which keeps other writers out from its start, and elsewhere where it holds a counter first.
    pub(super) async fn begin_write(&self) -> Result<Transaction<'static, Any>, CatalogError> {
        let begun = match &self.database {
            Database::Sqlite(pools) => pools.begin_write().await,
            Database::Postgres(server) => server.begin_write().await,
        };
        begun.map_err(doing("begin writing to the catalog"))
    }

    /// The same for what a power cut may take: what a job says on its way is lost with the job anyway, and a dozen disk
    /// flushes a job would cost more than everything else the catalog does.
    pub(super) async fn begin_note(&self) -> Result<Transaction<'static, Any>, CatalogError> {
        let begun = match &self.database {
            Database::Sqlite(pools) => pools.begin_note().await,
            Database::Postgres(server) => server.begin_note().await,
        };
        begun.map_err(doing("begin writing to the catalog"))
    }

    /// Stops using the connections that there are: one of them gave no answer.
    pub(super) fn distrust_connections(&self) {
        match &self.database {
            Database::Sqlite(_) => {}
            Database::Postgres(server) => server.renew(),
        }
    }

    /// A way in for tests that change or count things behind the catalog's back.
    #[cfg(test)]
    pub(super) fn back_door(&self) -> sqlx::AnyPool {
        match &self.database {
            Database::Sqlite(pools) => pools.back_door(),
            Database::Postgres(server) => server.pool(),
        }
    }
}

impl CatalogPlace<'_> {
    /// `None`: the file is not there. Makes and changes nothing.
    pub(super) async fn find(self) -> Result<Option<Found>, CatalogError> {
        match self {
            Self::File(path) => sqlite::find(path).await,
            Self::Server(options) => postgres::find(options).await.map(Some),
        }
    }
}

/// What a database holds before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    Catalog,
    SomethingElse,
}

impl Content {
    /// By the number of its tables and of those that hold schema versions.
    fn of(tables: i64, ours: i64) -> Self {
        match (tables, ours) {
            (0, _) => Self::Nothing,
            (_, 0) => Self::SomethingElse,
            (_, _) => Self::Catalog,
        }
    }
}
