//! Names that are parsed once and trusted afterwards.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Why a text is not the id it should be. Prints the text, the kind of id and the rule it broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {rule}")]
pub(crate) struct IdError {
    pub kind: &'static str,
    pub text: String,
    pub rule: &'static str,
}

/// A job's id: a `UUIDv7`, so that ids sort by the time the job was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobId(Uuid);

impl JobId {
    /// A fresh id; two made in one process never collide and sort in order.
    pub(crate) fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of the job that came under an idempotency key: the key itself where it is a `UUIDv7`, so that whoever
    /// sent it knows the job's id, else a fresh one.
    pub(crate) fn of_key(key: &str) -> Self {
        Uuid::parse_str(key).ok().filter(|uuid| uuid.get_version_num() == 7).map_or_else(Self::fresh, Self)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let rule = "a job id is a UUID such as 0192f0c1-2b3c-7d4e-8f50-617283940a1b";
        // The parser's own message adds nothing to the rule.
        Uuid::parse_str(text).map(Self).map_err(|_uuid_error| IdError {
            kind: "job id",
            text: text.into(),
            rule,
        })
    }
}

/// One try at a job; the first is 1. Carried by a commit as its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AttemptNumber(pub u32);

#[cfg(test)]
impl AttemptNumber {
    pub(crate) const FIRST: Self = Self(1);
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A table's state number; the first load of a table makes version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct VersionNumber(pub u64);

#[cfg(test)]
impl VersionNumber {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stored file's number, unique in a catalog and growing, so that "newer than" is a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub u64);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Makes a text id: a private string, the characters it may hold, and how to say so.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn parse(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() || text.len() > 200 || !text.chars().all(allowed) {
                    return Err(IdError { kind: $kind, text, rule: $rule });
                }
                Ok(Self(text))
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    };
}

text_id!(
    /// A component's id; equals the name of its spec file.
    ComponentId,
    "component id",
    "use 1 to 200 of a-z, 0-9, `.` and `-`",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-'
);
text_id!(
    /// A stored configuration's id. Local runs take it from the configuration's file name.
    ConfigurationId,
    "configuration id",
    "use 1 to 200 of A-Z, a-z, 0-9, `.`, `_` and `-`",
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
);
text_id!(
    /// The id of one row of a configuration.
    RowId,
    "row id",
    "use 1 to 200 of A-Z, a-z, 0-9, `.`, `_` and `-`",
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
);
text_id!(
    /// One worker process, unique for its life: a restarted worker has another.
    WorkerId,
    "worker id",
    "use 1 to 200 of A-Z, a-z, 0-9, `.`, `_` and `-`",
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
);
text_id!(
    /// The engine's id of an image (`sha256:…`): what a container is started from, never a tag.
    ImageId,
    "image id",
    "use 1 to 200 of A-Z, a-z, 0-9 and `:`, e.g. sha256:0123…",
    |c| c.is_ascii_alphanumeric() || c == ':'
);
text_id!(
    /// SHA-256 of a document (spec, configuration), in lower-case hexadecimal.
    ContentHash,
    "content hash",
    "expected hexadecimal digits",
    |c| c.is_ascii_hexdigit()
);
