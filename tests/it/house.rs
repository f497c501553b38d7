//! The bench on which tests are written: a project of its own, the program, and what it left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::service::eventually;

/// What [`House::versions`] says of a table that does not exist.
pub(crate) const NO_VERSIONS: [u64; 0] = [];

/// What a file compressed by zstd begins with (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A project in a folder of its own.
pub(crate) struct House {
    folder: TempDir,
}

/// How one call of the program ended.
pub(crate) struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The result document of `longshore run --format json`.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: stdout was\n{}\nstderr\n{}", self.stdout, self.stderr))
    }

    pub(crate) fn job(&self) -> String {
        self.document()["job"].as_str().unwrap().to_owned()
    }

    /// The stable code of a failure.
    pub(crate) fn error_code(&self) -> String {
        self.document()["error"]["code"].as_str().unwrap_or("none").to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.document()["message"].as_str().unwrap().to_owned()
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "stdout\n{}\nstderr\n{}", self.stdout, self.stderr);
        self
    }

    pub(crate) fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout\n{}\nstderr\n{}", self.stdout, self.stderr);
        self
    }
}

impl House {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the project's folder.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, ready to be called in this project.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(arguments).arg("--project").arg(self.path()).current_dir(self.path());
        // Only what the test says: the person's own settings must not reach it.
        for (name, _value) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LONGSHORE_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// Runs a script as a component's first process (`raw-shell`), with a `storage` section in JSON.
    pub(crate) fn run_script(&self, script: &str, storage: &Value) -> Ran {
        self.run_script_with(script, storage, &[])
    }

    pub(crate) fn run_script_with(&self, script: &str, storage: &Value, more: &[&str]) -> Ran {
        ran(self.script_command(script, storage, more).output().unwrap())
    }

    pub(crate) fn script_command(&self, script: &str, storage: &Value, more: &[&str]) -> Command {
        let configuration = serde_json::json!({ "parameters": { "script": script }, "storage": storage });
        self.write("task.json", configuration.to_string());
        let spec = fixture("components/raw-shell.yaml");
        let mut arguments = vec!["run", spec.to_str().unwrap(), "--config", "task.json", "--format", "json"];
        arguments.extend(more);
        self.command(&arguments)
    }

    /// Imports a table from text.
    pub(crate) fn import(&self, table: &str, csv: &str) {
        let file = self.write("import.csv", csv);
        self.call(&["table", "import", table, file.to_str().unwrap()]).succeeded();
    }

    /// The whole table as CSV text.
    pub(crate) fn export(&self, table: &str) -> String {
        self.call(&["table", "export", table]).succeeded().stdout
    }

    /// The version numbers of a table, newest first; empty when there is no such table.
    pub(crate) fn versions(&self, table: &str) -> Vec<u64> {
        let ran = self.call(&["table", "history", table, "--format", "json"]);
        if ran.code != 0 {
            assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
            return Vec::new();
        }
        let history: Value = serde_json::from_str(&ran.stdout).unwrap();
        history.as_array().unwrap().iter().map(|version| version["version"].as_u64().unwrap()).collect()
    }

    /// Asserts that nothing of a job is left: no container, no data folder.
    pub(crate) fn is_clean(&self) {
        let work = self.path().join(".longshore/work");
        let left: Vec<_> = fs::read_dir(work).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "folders were left behind: {left:?}");
        // A removal that a killed runner asked for goes on without it.
        eventually("the engine has ended its removals", || {
            self.containers_that(&["--filter", "status=removing"]).is_empty().then_some(())
        });
        let containers = self.containers();
        assert!(containers.is_empty(), "containers were left behind: {containers:?}");
        let networks = docker(&["network", "ls", "--filter", "label=longshore.job", "--format", "{{.Name}}"]);
        let networks = self.of_our_jobs(&networks);
        assert!(networks.is_empty(), "networks were left behind: {networks:?}");
    }

    /// Names of the containers that belong to jobs of this project.
    pub(crate) fn containers(&self) -> Vec<String> {
        self.containers_that(&[])
    }

    fn containers_that(&self, filters: &[&str]) -> Vec<String> {
        let listing = ["ps", "--all", "--filter", "label=longshore.job", "--format", "{{.Names}}"];
        self.of_our_jobs(&docker(&[&listing, filters].concat()))
    }

    /// Of the engine's names, those that hold the id of a job of this project.
    fn of_our_jobs(&self, names: &str) -> Vec<String> {
        if names.is_empty() {
            return Vec::new();
        }
        let jobs: Value =
            serde_json::from_str(&self.call(&["job", "ls", "--format", "json"]).succeeded().stdout).unwrap();
        let ids: Vec<&str> = jobs.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
        names.lines().filter(|name| ids.iter().any(|id| name.contains(id))).map(str::to_owned).collect()
    }

    /// All bytes below the project's own data, logs and archives decompressed: to search for what must not be there.
    pub(crate) fn all_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut folders = vec![self.path().join(".longshore")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let read = fs::read(path).unwrap();
                    let is_compressed = read.starts_with(&ZSTD_MAGIC);
                    bytes.extend(if is_compressed {
                        zstd::decode_all(read.as_slice()).unwrap()
                    } else {
                        read
                    });
                }
            }
        }
        bytes
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Lines `0`, `1`, … with the same end each.
pub(crate) fn numbered(count: u64, end: &str) -> String {
    (0..count).fold(String::new(), |lines, n| lines + &n.to_string() + end + "\n")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// A path below `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a container engine with our images is there. Without one a test prints that it was skipped; in CI that is
/// a failure.
pub(crate) fn has_engine() -> bool {
    let answers = |arguments: &[&str]| {
        Command::new("docker").args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let is_ready = answers(&["image", "inspect", "longshore/shell-transformation:1.1.0"]);
    if is_ready {
        for name in ["raw-shell", "no-entrypoint"] {
            ensure_image(name);
        }
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "no container engine with our images answers; `make test` starts one and builds them");
    eprintln!("SKIP (no container engine with our images): {:?}", std::thread::current().name());
    false
}

/// Builds an image of the tests. The engine's build cache makes the second time cheap. Tests that remove images run beside
/// this one and may take away what the classic builder has just found in its cache, so it may have to look again.
pub(crate) fn ensure_image(name: &str) {
    let (tag, folder) = (format!("longshore-test/{name}:1"), fixture("images").join(name));
    let build = || {
        let arguments = ["build", "--quiet", "--tag", &tag, folder.to_str().unwrap()];
        Command::new("docker").args(arguments).output().unwrap()
    };
    let mut output = build();
    for _again in 0..3 {
        if output.status.success() {
            return;
        }
        output = build();
    }
    assert!(output.status.success(), "{tag}: {}", String::from_utf8_lossy(&output.stderr));
}
