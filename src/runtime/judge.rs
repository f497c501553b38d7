//! What an end means. Pure: all the facts come in, one verdict goes out.

use std::time::Duration;

use super::follow::LogEnd;
use crate::engine::EngineError;
use crate::job::{BadExit, CleanExit, Exit, SizeKind, StartFailure};

/// 128 + SIGKILL: what an out-of-memory kill gives, but also every other kill.
pub(super) const KILLED_CODE: i64 = 137;
/// 128 + SIGXFSZ: the kernel's answer to a file over the size that a process may write.
const FILE_TOO_LARGE_CODE: i64 = 153;

/// Everything known about a container that has ended.
#[derive(Debug)]
pub(super) struct EndFacts<'a> {
    /// Why we stopped it, where it was still running when our signal came.
    pub(super) stopped_for: Option<BadExit>,
    pub(super) exit_code: i64,
    /// From the engine or the kernel's counter; holds for children too.
    pub(super) oom_killed: bool,
    pub(super) memory_limit_bytes: u64,
    pub(super) memory_peak_bytes: Option<u64>,
    pub(super) file_bytes_max: u64,
    pub(super) entrypoint: &'a str,
    pub(super) log: &'a LogEnd,
}

/// Weighs the facts. An out-of-memory kill comes before our own limits, since a process that lost a child to it
/// often hangs or fills the disk afterwards; only a person's wish to stop comes before that.
pub(super) fn judge(facts: EndFacts<'_>) -> Exit {
    let cancelled = facts.stopped_for == Some(BadExit::Cancelled);
    if facts.oom_killed && !cancelled {
        return Exit::Bad(BadExit::OutOfMemory {
            limit_bytes: facts.memory_limit_bytes,
            peak_bytes: facts.memory_peak_bytes,
        });
    }
    if let Some(reason) = facts.stopped_for {
        return Exit::Bad(reason);
    }
    if let Some(reason) = init_failure(facts.exit_code, facts.log) {
        let entrypoint = facts.entrypoint.to_owned();
        return Exit::Bad(BadExit::CouldNotStart(StartFailure { entrypoint, reason }));
    }
    if facts.exit_code == FILE_TOO_LARGE_CODE {
        // A file in the data folder would have been seen there; one in the image's files or one that was removed is not, nor
        // one that was to be made longer and was not.
        let limit = facts.file_bytes_max;
        return Exit::Bad(BadExit::SizeLimit { what: SizeKind::FileBySignal, limit, found: limit });
    }
    CleanExit::from_code(facts.exit_code)
}

/// The init process that reaps children starts before the entrypoint, so a bad entrypoint looks like a container
/// that ran: its one line on stderr tells the difference.
fn init_failure(exit_code: i64, log: &LogEnd) -> Option<String> {
    let line = log.only_line.as_deref().filter(|_| matches!(exit_code, 1 | 126 | 127))?;
    let (_pid, words) = line.trim_end().strip_prefix("[FATAL tini (")?.split_once(")] ")?;
    (words.starts_with("exec ") && words.contains(" failed: ")).then(|| words.to_owned())
}

/// Sorts a refused start: the image's fault gives an exit, the platform's gives nothing.
pub(super) fn start_failure(
    error: &EngineError,
    entrypoint: &str,
    memory_limit_bytes: u64,
) -> Option<BadExit> {
    let EngineError::Refused { status: 400 | 404 | 500, message, .. } = error else {
        return None;
    };
    if message.contains("OOM-killed") {
        return Some(BadExit::OutOfMemory { limit_bytes: memory_limit_bytes, peak_bytes: None });
    }
    let signs = [
        "exec: ",
        "exec format error",
        "executable file not found",
        "chdir to cwd",
        "unable to find user",
        "unable to find group",
        "no matching entries in passwd file",
    ];
    signs.iter().any(|sign| message.contains(sign)).then(|| {
        BadExit::CouldNotStart(StartFailure { entrypoint: entrypoint.into(), reason: plain_reason(message) })
    })
}

/// The engine wraps the reason in the names of its own layers: `OCI runtime create failed: runc create failed:
/// unable to start container process: exec: "x": …: unknown`.
fn plain_reason(message: &str) -> String {
    let innermost = ["container process: ", "process caused: ", "caused \\"]
        .iter()
        .filter_map(|layer| message.rsplit_once(layer))
        .map(|(_layers, reason)| reason)
        .min_by_key(|reason| reason.len())
        .unwrap_or(message);
    innermost.trim().trim_end_matches(": unknown").to_owned()
}

/// Whether the kernel's word about an out-of-memory kill may still be on its way to the engine.
pub(super) fn may_be_late_oom(exit_code: i64, oom_killed: bool, stopped_by_us: bool) -> bool {
    exit_code == KILLED_CODE && !oom_killed && !stopped_by_us
}

/// How long to ask again after an unexplained kill.
pub(super) const LATE_OOM_LIMIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn verdict(
        stopped_for: Option<BadExit>,
        exit_code: i64,
        oom_killed: bool,
        only_line: Option<&str>,
    ) -> Exit {
        let log = LogEnd { complete: true, only_line: only_line.map(Into::into), excess: None };
        judge(EndFacts {
            stopped_for,
            exit_code,
            oom_killed,
            memory_limit_bytes: 100,
            memory_peak_bytes: Some(99),
            file_bytes_max: 7,
            entrypoint: "/app/run",
            log: &log,
        })
    }

    const OOM: BadExit = BadExit::OutOfMemory { limit_bytes: 100, peak_bytes: Some(99) };
    const LATE: BadExit = BadExit::TimeLimit { limit: Duration::from_secs(5) };

    #[rstest]
    #[case(None, 3, false, BadExit::Code(3))]
    #[case(None, 137, false, BadExit::Code(137))]
    #[case(None, 125, false, BadExit::Code(125))]
    #[case(None, 127, false, BadExit::Code(127))]
    #[case(None, 153, false, BadExit::SizeLimit { what: SizeKind::FileBySignal, limit: 7, found: 7 })]
    #[case(None, 0, true, OOM)]
    #[case(None, 137, true, OOM)]
    #[case(Some(LATE), 0, false, LATE)]
    #[case(Some(LATE), 143, false, LATE)]
    #[case(Some(LATE), 137, true, OOM)]
    #[case(Some(BadExit::Cancelled), 137, false, BadExit::Cancelled)]
    #[case(Some(BadExit::Cancelled), 137, true, BadExit::Cancelled)]
    fn a_bad_end_has_one_reason(
        #[case] stopped_for: Option<BadExit>,
        #[case] exit_code: i64,
        #[case] oom_killed: bool,
        #[case] expected: BadExit,
    ) {
        assert_eq!(verdict(stopped_for, exit_code, oom_killed, None), Exit::Bad(expected));
    }

    #[test]
    fn only_a_quiet_zero_is_clean() {
        assert!(matches!(verdict(None, 0, false, None), Exit::Clean(_)));
    }

    #[rstest]
    #[case(127, "[FATAL tini (7)] exec /app/run failed: No such file or directory\n")]
    #[case(126, "[FATAL tini (8)] exec /app/run failed: Permission denied\n")]
    #[case(1, "[FATAL tini (7)] exec /app/run failed: Exec format error\n")]
    fn an_entrypoint_that_init_could_not_run_did_not_start(#[case] code: i64, #[case] line: &str) {
        let reason = line.split_once(")] ").unwrap().1.trim_end().to_owned();
        let expected = BadExit::CouldNotStart(StartFailure { entrypoint: "/app/run".into(), reason });
        assert_eq!(verdict(None, code, false, Some(line)), Exit::Bad(expected));
        assert_eq!(verdict(None, 2, false, Some(line)), Exit::Bad(BadExit::Code(2)));
    }

    #[rstest]
    #[case(
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
         process: exec: \"/nope\": stat /nope: no such file or directory: unknown",
        Some("exec: \"/nope\": stat /nope: no such file or directory")
    )]
    #[case(
        "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"x\": \
         executable file not found in $PATH: unknown",
        Some("exec: \"x\": executable file not found in $PATH")
    )]
    #[case(
        "unable to find user foo: no matching entries in passwd file",
        Some("unable to find user foo: no matching entries in passwd file")
    )]
    #[case("OCI runtime create failed: error mounting \"/x\" to rootfs: permission denied: unknown", None)]
    #[case("write /var/lib/docker/x: no space left on device", None)]
    fn a_refused_start_is_the_images_fault_or_the_platforms(
        #[case] message: &str,
        #[case] reason: Option<&str>,
    ) {
        let error = EngineError::Refused {
            action: "start",
            subject: "container x".into(),
            status: 500,
            message: message.into(),
        };
        let expected = reason.map(|reason| {
            BadExit::CouldNotStart(StartFailure { entrypoint: "run".into(), reason: reason.into() })
        });
        assert_eq!(start_failure(&error, "run", 100), expected);
    }
}
