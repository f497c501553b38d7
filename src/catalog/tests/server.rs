//! What only a catalog on a server can meet: other databases than its own, two who migrate at once, a restart.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::catalog::{Catalog, CatalogError, CatalogPlace, DatabaseStatus, PostgresOptions};
use crate::job::{Hidden, VersionNumber};

use super::house::{options, skip};
use super::{Database, House, On, append, orders, replace, slice};

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_without_its_password() {
    let Some(database) = Database::empty().await else { return };
    let good = database.options();
    let with = |from: &str, to: &str| PostgresOptions {
        url: Hidden::new(good.url.reveal().replace(from, to)),
        patience: Duration::ZERO,
        ..good.clone()
    };
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (options, expected) in [
        (with(":longshore@", ":secret@"), "the server refuses this user or password, see catalog.url"),
        (with("/longshore_test", "/nothing"), "the server has no such database; make it with createdb"),
        (with(":15432", &format!(":{nobody}")), "no PostgreSQL answers there, see catalog.url"),
        (with(":longshore@", ":sec/ret@"), "catalog.url is no address: it is postgres://"),
        (with(":longshore@", ":1/secret@"), "catalog.url is no address: it is postgres://"),
        (with("postgres:", "mysql:"), "catalog.url is no address: it is postgres://"),
    ] {
        let refused = Catalog::open_postgres(&options).await.unwrap_err();
        let told = chain(&refused);
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("secret") && !told.contains(":longshore@"), "{told}");
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let Some(house) = House::on(On::Postgres).await else { return };
    house.sql("ALTER TABLE schema_versions RENAME TO something_else").await;
    let options = house.postgres();
    let refused = Catalog::open_postgres(&options).await.unwrap_err();
    let what = "it holds another program's tables";
    assert!(
        matches!(&refused, CatalogError::NotACatalogServer { what: told, .. } if *told == what),
        "{refused}"
    );
    assert!(CatalogPlace::Server(&options).migrate().await.is_err());
    house.sql("ALTER TABLE something_else RENAME TO schema_versions").await;
    house.sql("INSERT INTO schema_versions (version, applied) VALUES (7, 0)").await;
    let refused = Catalog::open_postgres(&options).await.unwrap_err();
    assert!(matches!(refused, CatalogError::TooNew { found: 7, known: 4 }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_is_opened_by_many_at_once() {
    let Some(database) = Database::empty().await else { return };
    let mut openings = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let options = database.options();
        openings
            .spawn(async move { Catalog::open_postgres(&options).await.unwrap().tables().await.unwrap() });
    }
    while let Some(opened) = openings.join_next().await {
        assert_eq!(opened.unwrap(), []);
    }
}

#[tokio::test]
async fn a_database_says_what_it_is_before_and_after_it_is_migrated() {
    let Some(database) = Database::empty().await else { return };
    let options = database.options();
    let place = CatalogPlace::Server(&options);
    let status = async || place.status().await.unwrap().unwrap();
    let empty = status().await;
    assert!(empty.database.starts_with("PostgreSQL "), "{empty:?}");
    let url = options.url.reveal().replace(":longshore@", "@");
    assert_eq!((empty.place.as_str(), empty.schema_found, &empty.counts[..]), (url.as_str(), 0, &[][..]));
    assert_eq!(place.migrate().await.unwrap(), 0);
    assert_eq!(place.migrate().await.unwrap(), 4);
    let counts = ["tables", "versions", "files", "jobs", "open_jobs"].map(|name| (name, 0)).into();
    let after = status().await;
    assert_eq!(after, DatabaseStatus { schema_found: 4, counts, bytes: after.bytes, ..empty });
}

#[tokio::test]
async fn a_catalog_of_the_first_version_is_brought_up_to_date_with_what_it_holds() {
    let Some(house) = House::on(On::Postgres).await else { return };
    house.load(replace(vec![slice("a", 3)])).await;
    let Some(old) = Database::empty().await else { return };
    let raw = sqlx::AnyPool::connect(old.options().url.reveal()).await.unwrap();
    sqlx::raw_sql(include_str!("../migrations/0001_first.sql")).execute(&raw).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE schema_versions (version BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL);
         INSERT INTO schema_versions VALUES (1, 0);
         INSERT INTO jobs (id, component, request, status, attempt, created, ended, message)
         VALUES ('01900000-0000-7000-8000-000000000000', 'acme.top', '{}', 'success', 1, 0, 0, 'done');",
    )
    .execute(&raw)
    .await
    .unwrap();
    let options = old.options();
    assert_eq!(CatalogPlace::Server(&options).migrate().await.unwrap(), 1);
    let catalog = Catalog::open_postgres(&options).await.unwrap();
    assert_eq!(catalog.jobs(10).await.unwrap().len(), 1);
    assert_eq!(catalog.untold_jobs(Duration::ZERO, 10).await.unwrap(), []);
    raw.close().await;
}

/// A server of the test's own, which may die.
struct Server {
    data: TempDir,
    programs: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    fn start() -> Option<Self> {
        let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().collect();
        versions.sort_by_key(std::fs::DirEntry::path);
        let programs = versions.pop()?.path().join("bin");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { data: TempDir::new().unwrap(), programs, port, process: None };
        // It refuses to run as root.
        if rustix::process::geteuid().is_root() {
            let owned = Command::new("chown").arg("nobody").arg(server.data.path()).status().unwrap();
            assert!(owned.success());
        }
        let folder = server.data.path().join("data");
        let made = server
            .command("initdb")
            .args(["--username", "longshore", "--auth", "trust", "--no-sync", "--pgdata"])
            .arg(&folder)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        server.run();
        Some(server)
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        if !rustix::process::geteuid().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(program);
        command
    }

    fn run(&mut self) {
        let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data.path().join("data")).args(["-p", &self.port.to_string()]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        self.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    /// As a crash: nobody is told, and the log is recovered at the next start.
    fn crash(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        process.wait().unwrap();
    }

    async fn options(&self) -> PostgresOptions {
        let url = format!("postgres://longshore@127.0.0.1:{}/postgres", self.port);
        let options = PostgresOptions { url: Hidden::new(url), ..options("") };
        let deadline = Instant::now() + Duration::from_secs(30);
        while Catalog::open_postgres(&options).await.is_err() {
            assert!(Instant::now() < deadline, "the server did not start");
        }
        options
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_commit_happens_once_while_the_server_crashes_again_and_again() {
    let Some(mut server) = Server::start() else {
        #[expect(
            clippy::disallowed_methods,
            reason = "CI says by its environment that nothing may be skipped"
        )]
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "PostgreSQL is not installed");
        return skip();
    };
    let catalog = Catalog::open_postgres(&server.options().await).await.unwrap();
    catalog.commit(&super::of_tables(vec![replace(vec![])])).await.unwrap();
    let mut writing = tokio::task::JoinSet::new();
    writing.spawn({
        let catalog = catalog.clone();
        async move {
            for version in 1..=120 {
                let load = append(version, vec![slice(&format!("t/{version}"), 1)]);
                let receipt = catalog.commit(&super::of_tables(vec![load])).await.unwrap();
                assert_eq!(receipt.tables[0].version, VersionNumber(version + 1));
            }
        }
    });
    let head = async || catalog.table(&orders(), crate::catalog::At::Head).await.unwrap().unwrap();
    for crash in 1..=3 {
        while head().await.rows < crash * 25 {
            tokio::task::yield_now().await;
        }
        server.crash();
        server.run();
    }
    writing.join_next().await.unwrap().unwrap();
    let head = head().await;
    assert_eq!((head.version, head.rows, head.slices.len()), (VersionNumber(121), 120, 120));
}
