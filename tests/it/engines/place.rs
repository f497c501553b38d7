//! Where an engine of a test lives, and how it is spoken to.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder that holds all of an engine: its data, its socket, its log.
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What any daemon that lives here is told, so that it touches nothing of the usual one's nor of the firewall.
    pub(super) fn options(&self) -> Vec<String> {
        let path = |name: &str| self.path().join(name).display().to_string();
        let named = [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")];
        let mut options: Vec<_> =
            named.iter().flat_map(|(option, name)| [(*option).to_owned(), path(name)]).collect();
        options.extend([
            "--host".into(),
            self.host(),
            "--iptables=false".into(),
            "--ip-forward=false".into(),
        ]);
        options
    }

    /// A daemon's log, after what an earlier one said.
    pub(super) fn log(&self) -> File {
        File::options().create(true).append(true).open(self.path().join("log")).unwrap()
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.path().join("engine.sock").display())
    }

    pub(super) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.host()]).args(arguments).stdout(Stdio::null());
        command
    }

    pub(super) fn containers(&self) -> Vec<String> {
        let listed = self.docker(&["ps", "--all", "--quiet"]).stdout(Stdio::piped()).output().unwrap();
        String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    pub(super) fn wait_until_it_answers(&self, daemon: &mut Child) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.docker(&["info"]).stderr(Stdio::null()).status().unwrap().success() {
            let log = || fs::read_to_string(self.path().join("log")).unwrap();
            assert!(daemon.try_wait().unwrap().is_none(), "the engine ended: {}", log());
            assert!(Instant::now() < deadline, "the engine does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Gives it an image that the usual engine has.
    pub(super) fn bring(&self, image: &str) {
        let mut saved = Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
        let loaded = self.docker(&["load"]).stdin(saved.stdout.take().unwrap()).status().unwrap();
        assert!(saved.wait().unwrap().success() && loaded.success(), "{image} was not brought");
    }
}
