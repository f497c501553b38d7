//! Whether the component lives with as little as it is given: an unprivileged user, a read-only root, no network.

use super::error::CertifyError;
use super::examination::Examination;
use super::report::Finding;
use super::trial::Trial;
use crate::component::{Network, User};

/// What the engine itself puts into a container, and what is mounted or bounded.
const ENGINES_OWN: [&str; 9] = [
    "/.dockerenv",
    "/sbin/docker-init",
    // Where `/sbin` is a link.
    "/usr/sbin/docker-init",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/data",
    "/tmp",
];
const KERNELS_OWN: [&str; 3] = ["/dev", "/proc", "/sys"];

impl Examination<'_> {
    pub(super) async fn unprivileged(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let user = self.base.containers.first().map(|container| container.user.clone()).unwrap_or_default();
        if !is_root(&user) {
            if self.base.is_clean() {
                return Ok(Finding::passed().saw(format!("it ran as {user}")).by([self.base.part()]));
            }
            let mut trial = self.trial("as the user of its image")?;
            trial.component.user = User::Image;
            let ran = self.run(trial).await?;
            let finding = if ran.is_clean() {
                Finding::failed(format!(
                    "it works as the user of its image, not as {user}: {}",
                    self.base.message()
                ))
            } else {
                Finding::blocked()
            };
            return Ok(finding.by([self.base.part(), ran.part()]));
        }
        let mut trial = self.trial("as an unprivileged user")?;
        trial.component.user = User::Runner;
        let ran = self.run(trial).await?;
        let reason = if ran.is_clean() {
            "its spec makes it run as root, which it does not need".to_owned()
        } else {
            format!("it runs as root and fails as another user: {}", ran.message())
        };
        Ok(Finding::failed(reason).by([self.base.part(), ran.part()]))
    }

    pub(super) async fn read_only_root(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let is_promised = self.subject.component.read_only_root;
        if is_promised && self.base.is_clean() {
            return Ok(Finding::passed().by([self.base.part()]));
        }
        if !is_promised && !self.base.is_clean() {
            return Ok(Finding::blocked());
        }
        let name = if is_promised { "on a writable root" } else { "on a read-only root" };
        let mut trial = self.trial(name)?;
        trial.component.read_only_root = !is_promised;
        let ran = self.run(trial).await?;
        let finding = match (is_promised, ran.is_clean()) {
            (true, true) => {
                Finding::failed(format!("it works only on a writable root: {}", self.base.message()))
            }
            (true, false) => Finding::blocked(),
            (false, true) => Finding::passed().saw("its spec could say `read_only_root: true`"),
            (false, false) => Finding::failed(ran.message()),
        };
        Ok(finding.by([self.base.part(), ran.part()]))
    }

    pub(super) fn writes(&self) -> Finding {
        if let Some(finding) = self.without_start() {
            return finding;
        }
        let mut written = Vec::new();
        for container in &self.base.containers {
            let Some(paths) = &container.changed_paths else {
                return Finding::skipped("the engine does not tell what a container wrote");
            };
            written.extend(own_writes(paths));
        }
        written.sort();
        written.dedup();
        let finding = match written.first() {
            None => Finding::passed(),
            Some(first) => {
                let more = written.len() - 1;
                let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
                Finding::failed(format!("it wrote {first}{rest}"))
            }
        };
        finding.saw_all(written).by([self.base.part()])
    }

    pub(super) async fn network(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        if self.subject.component.network != Network::None {
            return Ok(Finding::skipped("its spec asks for a network"));
        }
        if self.base.is_clean() {
            return Ok(Finding::passed().by([self.base.part()]));
        }
        let mut trial = self.trial("with a network")?;
        trial.component.network = Network::Bridge { private: Vec::new() };
        let ran = self.run(trial).await?;
        let finding = if ran.is_clean() {
            Finding::failed(format!("it works only with a network: {}", self.base.message()))
        } else {
            Finding::blocked()
        };
        Ok(finding.by([self.base.part(), ran.part()]))
    }

    /// The init process tells, when asked, whether there was a process left when the main one had ended. One that is
    /// just dying may still be there, so it is asked twice.
    pub(super) async fn processes(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let mut runs = Vec::new();
        for name in ["with its processes counted", "with its processes counted again"] {
            let environment = vec![("TINI_VERBOSITY".to_owned(), "5".to_owned())];
            let ran = self.run(Trial { environment, ..self.trial(name)? }).await?;
            runs.push(ran.part());
            match leaves_processes(&ran.init_lines) {
                Some(true) => {}
                Some(false) => return Ok(Finding::passed().by(runs)),
                None => {
                    return Ok(Finding::skipped("the engine's init process does not tell").by(runs));
                }
            }
        }
        Ok(Finding::failed("processes were left when the main one had ended: they are killed at once")
            .by(runs))
    }
}

/// By tini's own words after the main process ended (`reap_zombies` of its source): `No child to wait` where nobody is
/// left, `No child to reap` where somebody still lives. `None`: another init process, or an older one.
fn leaves_processes(lines: &[String]) -> Option<bool> {
    let ended = lines.iter().rposition(|line| line.contains("Main child exited"))?;
    lines[ended..].iter().find_map(|line| match () {
        () if line.contains("No child to wait") => Some(false),
        () if line.contains("No child to reap") => Some(true),
        () => None,
    })
}

fn is_root(user: &str) -> bool {
    matches!(user.split(':').next(), None | Some("" | "0" | "root"))
}

/// The paths that the component itself changed, without the folders above them.
fn own_writes(paths: &[String]) -> Vec<String> {
    let is_below =
        |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let is_own = |path: &str| {
        ENGINES_OWN.iter().chain(&KERNELS_OWN).any(|own| path == *own || is_below(path, own))
            // The engine makes its files there before the component begins.
            || path == "/etc"
    };
    let is_leaf = |path: &str| !paths.iter().any(|other| is_below(other, path));
    paths.iter().filter(|path| !is_own(path) && is_leaf(path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_put_there_is_not_the_components_doing() {
        let paths = [
            "/sbin",
            "/sbin/docker-init",
            "/etc",
            "/etc/hosts",
            "/data",
            "/var",
            "/var/cache",
            "/var/cache/x",
        ];
        assert_eq!(own_writes(&paths.map(str::to_owned)), ["/var/cache/x"]);
        assert_eq!(own_writes(&["/database".to_owned(), "/tmpfile".to_owned()]), ["/database", "/tmpfile"]);
    }

    #[test]
    fn the_init_process_tells_who_is_left() {
        let lines = |last: &str| {
            [
                "[TRACE tini (1)] No child to reap",
                "[INFO  tini (1)] Main child exited normally (with status '0')",
                last,
            ]
            .map(str::to_owned)
        };
        assert_eq!(leaves_processes(&lines("[TRACE tini (1)] No child to wait")), Some(false));
        assert_eq!(leaves_processes(&lines("[TRACE tini (1)] No child to reap")), Some(true));
        assert_eq!(leaves_processes(&[]), None);
    }

    #[test]
    fn root_is_known_by_number_name_and_silence() {
        for user in ["", "0", "0:0", "root", "root:users"] {
            assert!(is_root(user), "{user}");
        }
        assert!(!is_root("10001:10001") && !is_root("app"));
    }
}
