//! A registry of a test's own, with its access log as the witness of who asked it for what.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::house::{docker, fixture};

/// Whom a registry with a password knows; its hash is in `scripts/registry.sh`.
pub(crate) const USERNAME: &str = "alice";
pub(crate) const PASSWORD: &str = "sw0rd?fish>~7000";

/// Debian's registry on a port of its own; its images and names go with it.
pub(crate) struct Registry {
    folder: TempDir,
    pub(crate) address: String,
    kind: &'static [&'static str],
    server: Child,
    seen: usize,
}

/// Whether there is a registry to start. Without one a test prints that it was skipped; in CI that is a failure.
pub(crate) fn has_registry() -> bool {
    let is_there = Command::new("docker-registry").arg("--version").output().is_ok();
    if !is_there {
        #[expect(
            clippy::disallowed_methods,
            reason = "CI says by its environment that nothing may be skipped"
        )]
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "no docker-registry is installed; scripts/setup.sh installs it");
        eprintln!("SKIP (no docker-registry): {:?}", std::thread::current().name());
    }
    is_there
}

impl Registry {
    /// `kind`: `password`, `tls`, both or nothing.
    pub(crate) fn start(kind: &'static [&'static str]) -> Self {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = serve(folder.path(), port, kind);
        let mut registry = Self { folder, address: format!("127.0.0.1:{port}"), kind, server, seen: 0 };
        registry.wait();
        registry.log_in();
        registry
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&self.address).is_err() {
            let ended = self.server.try_wait().unwrap();
            assert!(ended.is_none(), "the registry ended: {ended:?}");
            assert!(Instant::now() < deadline, "the registry does not answer at {}", self.address);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn stop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        let port = self.address.rsplit(':').next().unwrap().parse().unwrap();
        self.server = serve(self.folder.path(), port, self.kind);
        self.wait();
    }

    /// The authority that signed its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A folder for `DOCKER_CONFIG` that knows the password.
    pub(crate) fn docker_config(&self) -> PathBuf {
        self.folder.path().join("docker")
    }

    fn log_in(&self) {
        fs::create_dir_all(self.docker_config()).unwrap();
        // The Base64 of user:password, as `docker login` writes it.
        let auth = "YWxpY2U6c3cwcmQ/ZmlzaD5+NzAwMA==";
        let config = serde_json::json!({ "auths": { &self.address: { "auth": auth } } });
        fs::write(self.docker_config().join("config.json"), config.to_string()).unwrap();
    }

    /// Pushes an image that differs from all others, and takes it off the engine again. Gives its digest.
    pub(crate) fn push(&self, name: &str, content: &str) -> String {
        let reference = self.reference(name);
        let folder = TempDir::new().unwrap();
        let raw_shell = "FROM longshore-test/raw-shell:1\nCOPY content /content\n";
        fs::write(folder.path().join("Dockerfile"), raw_shell).unwrap();
        fs::write(folder.path().join("content"), format!("{} {content}", self.address)).unwrap();
        docker(&["build", "--quiet", "--tag", &reference, folder.path().to_str().unwrap()]);
        let config = self.docker_config();
        docker(&["--config", config.to_str().unwrap(), "push", "--quiet", &reference]);
        let digests = docker(&["image", "inspect", "--format", "{{join .RepoDigests \" \"}}", &reference]);
        let digest = digests.trim().rsplit('@').next().unwrap().to_owned();
        Self::forget(&reference);
        digest
    }

    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Removes an image from the engine, whatever else it is called.
    pub(crate) fn forget(reference: &str) {
        let id = docker(&["image", "inspect", "--format", "{{.Id}}", reference]);
        docker(&["rmi", "--force", id.trim()]);
    }

    /// `METHOD path` of all that was asked since the last time, without greetings and without our own question, which
    /// makes sure that the log is written up to here.
    pub(crate) fn asked(&mut self) -> Vec<String> {
        let marker = format!("/v2/?marker={}", self.seen);
        let mut question = TcpStream::connect(&self.address).unwrap();
        write!(question, "GET {marker} HTTP/1.0\r\n\r\n").unwrap();
        question.read_to_end(&mut Vec::new()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let lines = loop {
            let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
            let lines: Vec<String> = log.lines().skip(self.seen).map(str::to_owned).collect();
            if lines.iter().any(|line| line.contains(&marker)) {
                break lines;
            }
            assert!(Instant::now() < deadline, "the registry does not write its log");
            std::thread::sleep(Duration::from_millis(20));
        };
        self.seen += lines.len();
        let asked = lines.iter().map(|line| {
            let request = line.split('"').nth(1).unwrap();
            request.rsplit_once(' ').map_or(request, |(asked, _protocol)| asked).to_owned()
        });
        asked.filter(|asked| asked != "GET /v2/" && !asked.contains("marker=")).collect()
    }
}

fn serve(folder: &Path, port: u16, kind: &[&str]) -> Child {
    let script = fixture("../scripts/registry.sh");
    let mut command = Command::new(script);
    command.arg("serve").arg(folder).arg(port.to_string()).args(kind).stdin(Stdio::null());
    command.spawn().unwrap()
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have been stopped before.
        drop(self.server.kill());
        drop(self.server.wait());
        let images = docker(&["images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}"]);
        let ours = images.lines().filter(|line| line.contains(&format!(" {}/", self.address)));
        for line in ours {
            let id = line.split(' ').next().unwrap();
            // One image may be listed under several names.
            drop(Command::new("docker").args(["rmi", "--force", id]).output());
        }
    }
}
