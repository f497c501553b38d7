//! What can be meant, but often is not: told when a worker starts.

use std::net::SocketAddr;

use super::Settings;
use crate::component::Preset;

impl Settings {
    /// Sentences for the operator about settings that go together badly.
    #[cfg_attr(not(test), expect(dead_code, reason = "the worker's verb tells them"))]
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let mut notice = |is_so: bool, text: &str| {
            if is_so {
                notices.push(text.to_owned());
            }
        };
        let (has_server, has_bucket) = (self.catalog.is_some(), self.blobs.is_some());
        notice(
            has_bucket && !has_server,
            "tables lie in a bucket, but the catalog is a file: no other machine may use this bucket and prefix",
        );
        notice(
            has_server && !has_bucket,
            "the catalog is a server, but tables lie in a folder: workers on other machines must have the same folder \
             at the same path",
        );
        notice(
            self.http.is_some_and(|address: SocketAddr| !address.ip().is_loopback()),
            "health and metrics answer other machines too, and do not ask who is asking",
        );
        let is_remote = self
            .engine_host
            .as_ref()
            .is_some_and(|host| !host.starts_with("unix://") && !host.starts_with('/'));
        notice(
            is_remote,
            "the engine is on another machine: worker.slots, memory, cpus and disk must say what that one has",
        );
        let (worker, small) = (&self.worker, self.presets.of(Preset::DEFAULT));
        let nano_cpus = u64::try_from(small.nano_cpus).unwrap_or(0);
        for (key, has, needs) in [
            ("memory", worker.memory_bytes, small.memory_bytes),
            ("cpus", worker.nano_cpus, nano_cpus),
            ("disk", worker.disk_bytes, small.disk_bytes),
        ] {
            notice(
                has < needs,
                &format!(
                    "worker.{key} is less than a `{0}` job asks for: this worker leaves such jobs to others",
                    Preset::DEFAULT.as_str()
                ),
            );
        }
        notices
    }
}
