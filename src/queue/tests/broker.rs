//! A broker that a test may stop, starve and reconfigure.

use std::io::Write;

use super::bench::{command, has_broker, script};

/// A broker of the test's own, which is gone without a trace at the end.
pub(super) struct Broker {
    pub(super) port: u16,
}

impl Broker {
    /// With further lines of its settings file. `None` where none can be started, as the shared one was not either.
    pub(super) fn start(settings: &str) -> Option<Self> {
        if !has_broker() {
            return None;
        }
        // Tests of several clones run at once; a process has its number for itself.
        let port = 5700 + u16::try_from(std::process::id() % 1000).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        let mut start = command(port, &["start"]);
        start.env("LONGSHORE_RABBITMQ_SETTINGS", file.path());
        assert!(start.status().unwrap().success(), "a second broker does not start");
        Some(Self { port })
    }

    /// Runs the script beside the test, which goes on meanwhile.
    pub(super) async fn script<const N: usize>(&self, arguments: [&'static str; N]) {
        let port = self.port;
        let ran = tokio::task::spawn_blocking(move || script(port, &arguments)).await.unwrap();
        assert!(ran, "{arguments:?}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        script(self.port, &["stop"]);
        let data = format!("{}/.cache/rabbitmq/{}", env!("CARGO_MANIFEST_DIR"), self.port);
        std::fs::remove_dir_all(data).unwrap();
    }
}
