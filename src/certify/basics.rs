//! What one run on the given configuration tells: image, entrypoint, exit code, outputs, memory.

use super::examination::Examination;
use super::ran::brief;
use super::report::Finding;
use crate::job::BadExit;

/// From here on a limit is too near.
const MEMORY_SHARE_MAX: u64 = 90;

impl Examination<'_> {
    pub(super) fn image(&self) -> Finding {
        match &self.base.document.image {
            Some(image) => Finding::passed().saw(format!("{} is {}", image.reference, image.id)),
            None => Finding::failed(self.base.message()),
        }
    }

    pub(super) fn entrypoint(&self) -> Finding {
        match self.base.bad_exit() {
            _ if self.base.containers.is_empty() => Finding::skipped("there is no image to start"),
            Some(BadExit::CouldNotStart(_)) => Finding::failed(self.base.message()),
            Some(
                BadExit::Code(_)
                | BadExit::OutOfMemory { .. }
                | BadExit::TimeLimit { .. }
                | BadExit::SizeLimit { .. }
                | BadExit::DiskReserve { .. }
                | BadExit::Cancelled,
            )
            | None => Finding::passed(),
        }
    }

    pub(super) fn success(&self) -> Finding {
        if let Some(finding) = self.without_start() {
            return finding;
        }
        let finding = if self.base.is_clean() {
            let took = self.base.took().as_secs_f64();
            Finding::passed().saw(format!("exit code 0 after {took:.3} s"))
        } else {
            Finding::failed(self.base.message())
        };
        finding.by([self.base.part()])
    }

    pub(super) fn prompt(&self) -> Finding {
        if let Some(finding) = self.without_start() {
            return finding;
        }
        let finding = match self.base.bad_exit() {
            Some(BadExit::TimeLimit { limit }) => {
                Finding::failed(format!("it did not end within {} s", limit.as_secs_f64()))
            }
            Some(
                BadExit::Code(_)
                | BadExit::OutOfMemory { .. }
                | BadExit::SizeLimit { .. }
                | BadExit::DiskReserve { .. }
                | BadExit::Cancelled
                | BadExit::CouldNotStart(_),
            )
            | None => Finding::passed(),
        };
        finding.by([self.base.part()])
    }

    pub(super) fn outputs(&self) -> Finding {
        if !self.base.is_clean() {
            return Finding::blocked();
        }
        if self.base.is_success() {
            let count = self.base.published.count();
            return Finding::passed().saw(format!("{count} tables, files and states")).by([self.base.part()]);
        }
        if self.state_fault().is_some() {
            return Finding::skipped("its state is not valid, and nothing else is read before it");
        }
        let lines: Vec<String> = self.base.document.message.lines().map(brief).collect();
        Finding::failed(self.base.message()).saw_all(lines).by([self.base.part()])
    }

    pub(super) fn memory(&self) -> Finding {
        let usage = &self.base.document.usage;
        if self.base.containers.is_empty() {
            return Finding::skipped("there was no container to run");
        }
        let Some(peak) = usage.memory_peak_bytes else {
            return Finding::skipped("this host does not tell how much memory a container used");
        };
        let limit = usage.memory_limit_bytes;
        let share = peak.saturating_mul(100) / limit.max(1);
        let seen = format!("its peak was {} MiB of {} MiB ({share} %)", peak >> 20, limit >> 20);
        let is_out = matches!(self.base.bad_exit(), Some(BadExit::OutOfMemory { .. }));
        let finding = if is_out {
            Finding::failed(self.base.message())
        } else if share > MEMORY_SHARE_MAX {
            Finding::failed(format!("it used {share} % of the memory it may use"))
        } else {
            Finding::passed()
        };
        finding.saw(seen).by([self.base.part()])
    }

    /// What is wrong with the state that the first run left. The runner names the file first.
    pub(super) fn state_fault(&self) -> Option<String> {
        let is_of_state = |line: &&str| line.starts_with("out/state.");
        self.base.document.message.lines().find(is_of_state).map(str::to_owned)
    }
}
