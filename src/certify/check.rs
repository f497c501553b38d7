//! The closed list of checks: what each is called, asks, and advises.

use crate::component::Component;

/// One thing that the contract asks of a component. The texts are stable: reports and people's scripts use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckId {
    Spec,
    Image,
    Entrypoint,
    Success,
    Prompt,
    Outputs,
    State,
    Unprivileged,
    ReadOnlyRoot,
    Writes,
    Network,
    Processes,
    Sigterm,
    UserError,
    Message,
    EmptyInput,
    HugeField,
    InvalidUtf8,
    Secret,
    Deterministic,
    Memory,
}

/// Whether a component that fails a check is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Required,
    Advice,
}

impl Level {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Advice => "advice",
        }
    }
}

impl CheckId {
    pub(crate) const ALL: [Self; 21] = [
        Self::Spec,
        Self::Image,
        Self::Entrypoint,
        Self::Success,
        Self::Prompt,
        Self::Outputs,
        Self::State,
        Self::Unprivileged,
        Self::ReadOnlyRoot,
        Self::Writes,
        Self::Network,
        Self::Processes,
        Self::Sigterm,
        Self::UserError,
        Self::Message,
        Self::EmptyInput,
        Self::HugeField,
        Self::InvalidUtf8,
        Self::Secret,
        Self::Deterministic,
        Self::Memory,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        self.words().0
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.as_str() == text)
    }

    pub(super) fn title(self) -> &'static str {
        self.words().1
    }

    pub(super) fn level(self, component: &Component) -> Level {
        match self {
            Self::Memory => Level::Advice,
            // What the spec promises must hold; a root that may be written to is worse, not wrong.
            Self::ReadOnlyRoot if !component.read_only_root => Level::Advice,
            Self::Spec
            | Self::Image
            | Self::Entrypoint
            | Self::Success
            | Self::Prompt
            | Self::Outputs
            | Self::State
            | Self::Unprivileged
            | Self::ReadOnlyRoot
            | Self::Writes
            | Self::Network
            | Self::Processes
            | Self::Sigterm
            | Self::UserError
            | Self::Message
            | Self::EmptyInput
            | Self::HugeField
            | Self::InvalidUtf8
            | Self::Secret
            | Self::Deterministic => Level::Required,
        }
    }

    /// Id and title.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Spec => ("spec", "the spec is valid"),
            Self::Image => ("image", "the image is there"),
            Self::Entrypoint => ("entrypoint", "the entrypoint starts"),
            Self::Success => ("success", "it ends with exit code 0 on the given configuration"),
            Self::Prompt => ("prompt", "it ends by itself when its work is done"),
            Self::Outputs => ("outputs", "its outputs and manifests are valid"),
            Self::State => ("state", "its state is valid, and it runs again with it"),
            Self::Unprivileged => ("unprivileged", "it runs as an unprivileged user"),
            Self::ReadOnlyRoot => ("read_only_root", "it runs on a read-only root file system"),
            Self::Writes => ("writes", "it writes nothing outside /data and /tmp"),
            Self::Network => ("network", "it works without a network where its spec asks for none"),
            Self::Processes => ("processes", "it leaves no processes behind"),
            Self::Sigterm => ("sigterm", "SIGTERM ends it inside the grace"),
            Self::UserError => ("user_error", "a user's error ends with exit code 1"),
            Self::Message => ("message", "it says what is wrong when it fails"),
            Self::EmptyInput => ("empty_input", "it bears tables without rows"),
            Self::HugeField => ("huge_field", "it bears a field of 1 MiB"),
            Self::InvalidUtf8 => ("invalid_utf8", "it bears bytes that are not UTF-8"),
            Self::Secret => ("secret", "it repeats no secret"),
            Self::Deterministic => ("deterministic", "the same inputs give the same outputs"),
            Self::Memory => ("memory", "its memory stays clear of the limit"),
        }
    }

    /// How to mend what fails the check.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Spec => "correct the spec at the places named",
            Self::Image => "push or build the image, or correct `image` in the spec",
            Self::Entrypoint => {
                "name a program in ENTRYPOINT that is in the image, executable, and built for this processor"
            }
            Self::Success => {
                "make it succeed with `longshore run` first, or give a configuration and tables that fit it"
            }
            Self::Prompt => {
                "leave once the outputs are written, and do not wait for threads or connections that never end"
            }
            Self::Outputs => {
                "write plain CSV files with a header (or `columns` in the manifest) and manifests that are JSON"
            }
            Self::State => {
                "write a JSON object to out/state.json, and read your own state from in/state.json"
            }
            Self::Unprivileged => {
                "say `user: runner` in the spec, and need no files or ports that only root may use"
            }
            Self::ReadOnlyRoot => {
                "write temporary files to /tmp and nothing else outside /data; then say `read_only_root: true`"
            }
            Self::Writes => {
                "write temporary files to /tmp; point caches and home folders there (HOME, XDG_CACHE_HOME)"
            }
            Self::Network => "ask for `network: bridge` in the spec, or bring along what is fetched",
            Self::Processes => "wait for every process that you start before the main one ends",
            Self::Sigterm => "leave on SIGTERM; a shell entrypoint must pass it on (`exec`, or `trap`)",
            Self::UserError => {
                "check the configuration first, and exit with 1 when it is incomplete; 2 and more mean a fault of yours"
            }
            Self::Message => {
                "print one sentence for the person who configured it to stderr instead of nothing or a stack trace"
            }
            Self::EmptyInput => {
                "write header-only outputs for header-only inputs, or exit with 1 and say what is missing"
            }
            Self::HugeField => {
                "raise the field limit of your CSV reader (Python: csv.field_size_limit), or exit with 1 and say so"
            }
            Self::InvalidUtf8 => {
                "decode with a policy (Python: errors=\"replace\"), or exit with 1 and name the row"
            }
            Self::Secret => {
                "never print the configuration, and write nothing of a `#` value to tables, files or state"
            }
            Self::Deterministic => {
                "sort what you write and leave out times and random values, or take `deterministic: true` out of the spec"
            }
            Self::Memory => "stream the tables instead of holding them, or ask for more memory in the spec",
        }
    }
}
