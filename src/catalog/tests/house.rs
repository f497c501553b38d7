//! A fresh catalog for each test, on either database.

use std::time::Duration;

use sqlx::{Connection as _, Row as _};
use tempfile::TempDir;

use crate::catalog::{Catalog, PostgresOptions, migrations};
use crate::job::Hidden;

/// What `scripts/postgres.sh` starts.
const SERVER: &str = "postgres://longshore:longshore@127.0.0.1:15432/";

/// Which database a test is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalog) enum On {
    Sqlite,
    Postgres,
}

pub(in crate::catalog) struct House {
    place: Place,
    pub(in crate::catalog) catalog: Catalog,
}

enum Place {
    File(TempDir),
    /// The database's name; gone with the house.
    Database(Database),
}

impl House {
    /// `None`: there is no server, which was printed. In CI that is a failure.
    pub(in crate::catalog) async fn on(on: On) -> Option<Self> {
        let place = match on {
            On::Sqlite => Place::File(TempDir::new().unwrap()),
            On::Postgres => Place::Database(Database::fresh().await?),
        };
        let catalog = place.open().await;
        Some(Self { place, catalog })
    }

    /// On a file.
    pub(in crate::catalog) async fn local() -> Self {
        let place = Place::File(TempDir::new().unwrap());
        let catalog = place.open().await;
        Self { place, catalog }
    }

    /// Another handle on the same catalog, as another process would have it.
    pub(in crate::catalog) async fn beside(&self) -> Catalog {
        self.place.open().await
    }

    /// The file of a local catalog.
    pub(in crate::catalog) fn path(&self) -> std::path::PathBuf {
        match &self.place {
            Place::File(directory) => directory.path().join("catalog.db"),
            Place::Database(_) => panic!("a database has no file"),
        }
    }

    /// How the database of a catalog on a server is reached.
    pub(in crate::catalog) fn postgres(&self) -> PostgresOptions {
        match &self.place {
            Place::File(_) => panic!("a file has no server"),
            Place::Database(database) => database.options(),
        }
    }

    /// Changes the database behind the catalog's back.
    pub(in crate::catalog) async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.catalog.back_door()).await.unwrap();
    }

    /// The one number that a query gives.
    pub(in crate::catalog) async fn lines(&self, count_query: &'static str) -> i64 {
        sqlx::query(count_query).fetch_one(&self.catalog.back_door()).await.unwrap().try_get(0).unwrap()
    }
}

impl Place {
    async fn open(&self) -> Catalog {
        match self {
            Self::File(directory) => {
                Catalog::open_sqlite(&directory.path().join("catalog.db")).await.unwrap()
            }
            Self::Database(database) => Catalog::open_postgres(&database.options()).await.unwrap(),
        }
    }
}

/// A database of a test's own on the server that all share.
pub(in crate::catalog) struct Database(String);

impl Database {
    /// With the catalog's tables: copied from a template, as migrating takes longer than most tests.
    async fn fresh() -> Option<Self> {
        let mut server = connect_to_server().await?;
        let template = format!("longshore_template_{:016x}", migrations::fingerprint());
        let has_template = async |server: &mut sqlx::AnyConnection| -> bool {
            let found =
                sqlx::query("SELECT COUNT(*) FROM pg_database WHERE datname = $1").bind(template.as_str());
            found.fetch_one(server).await.unwrap().try_get::<i64, _>(0).unwrap() > 0
        };
        if !has_template(&mut server).await {
            // Who comes second waits, and finds it made.
            execute(&mut server, "SELECT 1 FROM pg_advisory_lock(1)").await;
            if !has_template(&mut server).await {
                let unfinished = format!("{template}_unfinished");
                execute(&mut server, &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
                execute(&mut server, &format!("CREATE DATABASE {unfinished}")).await;
                Catalog::open_postgres(&options(&unfinished)).await.unwrap();
                execute(&mut server, &format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
            }
            execute(&mut server, "SELECT 1 FROM pg_advisory_unlock(1)").await;
        }
        let name = fresh_name();
        execute(&mut server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        server.close().await.unwrap();
        Some(Self(name))
    }

    /// Without any tables.
    pub(in crate::catalog) async fn empty() -> Option<Self> {
        let mut server = connect_to_server().await?;
        let name = fresh_name();
        execute(&mut server, &format!("CREATE DATABASE {name}")).await;
        server.close().await.unwrap();
        Some(Self(name))
    }

    pub(in crate::catalog) fn options(&self) -> PostgresOptions {
        options(&self.0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A runtime of its own, since the test's may be the one that drops.
        let drop_statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(mut server) = sqlx::AnyConnection::connect(&format!("{SERVER}postgres")).await {
                    execute(&mut server, &drop_statement).await;
                }
            });
        });
        // A test that fails has something better to tell.
        drop(dropping.join());
    }
}

pub(in crate::catalog) fn options(database: &str) -> PostgresOptions {
    PostgresOptions {
        url: Hidden::new(format!("{SERVER}{database}")),
        connections_max: 4,
        patience: Duration::from_secs(30),
    }
}

fn fresh_name() -> String {
    format!("longshore_test_{}", uuid::Uuid::now_v7().simple())
}

async fn execute(server: &mut sqlx::AnyConnection, statement: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(server).await.unwrap();
}

async fn connect_to_server() -> Option<sqlx::AnyConnection> {
    sqlx::any::install_default_drivers();
    match sqlx::AnyConnection::connect(&format!("{SERVER}postgres")).await {
        Ok(server) => Some(server),
        Err(error) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "CI says by its environment that nothing may be skipped"
            )]
            let is_ci = std::env::var_os("CI").is_some();
            assert!(!is_ci, "no PostgreSQL answers ({error}); `make test` starts one");
            skip();
            None
        }
    }
}

pub(in crate::catalog) fn skip() {
    eprintln!("SKIP (no PostgreSQL server): {:?}", std::thread::current().name());
}
