//! The real servers, as the scripts of the project start them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value, json};

/// A server that a script starts and knows the address of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Postgres,
    Rabbitmq,
    S3,
}

impl Server {
    pub(super) const ALL: [Self; 3] = [Self::Postgres, Self::Rabbitmq, Self::S3];

    fn script(self) -> &'static str {
        match self {
            Self::Postgres => "scripts/postgres.sh",
            Self::Rabbitmq => "scripts/rabbitmq.sh",
            Self::S3 => "scripts/s3.sh",
        }
    }

    fn run(self, arguments: &[&str]) -> Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Command::new(root.join(self.script())).args(arguments).current_dir(root).output().unwrap()
    }

    /// Whether it answers. Locally a test is skipped without it and says so; in CI that is a failure.
    pub(super) fn is_there(self) -> bool {
        if self.run(&["answers"]).status.success() {
            return true;
        }
        skip(&format!("`{} start` was not done", self.script()));
        false
    }

    /// Its part of the settings, named by the part.
    pub(super) fn settings(self) -> Value {
        let printed = |verb| String::from_utf8(self.run(&[verb]).stdout).unwrap();
        match self {
            Self::Postgres => json!({ "url": printed("url").trim() }),
            Self::Rabbitmq => json!({ "url": printed("env").trim().replace("LONGSHORE_QUEUE_URL=", "") }),
            Self::S3 => {
                let printed = printed("env");
                let pairs = printed.lines().filter_map(|line| line.split_once('='));
                let key = |name: &str| name.trim_start_matches("LONGSHORE_BLOBS_S3_").to_lowercase();
                let value = |text: &str| if text == "true" { json!(true) } else { json!(text) };
                json!({ "s3": pairs.map(|(name, text)| (key(name), value(text))).collect::<Map<_, _>>() })
            }
        }
    }
}

/// Says why a test is skipped; in CI that is a failure.
pub(super) fn skip(why: &str) {
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "{why}");
    eprintln!("SKIP ({why}): {:?}", std::thread::current().name());
}

/// A fresh database, dropped with this value.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: String,
    name: String,
    server: String,
}

impl Database {
    pub(super) fn make(server: &str, name: &str) -> Self {
        psql(server, &format!("CREATE DATABASE {name}"));
        let (base, _maintenance_database) = server.rsplit_once('/').unwrap();
        Self { url: format!("{base}/{name}"), name: name.to_owned(), server: server.to_owned() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        Command::new("psql").args([&self.server, "--quiet", "--command", &statement]).output().ok();
    }
}

fn psql(server: &str, statement: &str) {
    let output = Command::new("psql").args([server, "--quiet", "--command", statement]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
