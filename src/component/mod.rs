//! Components: a spec (YAML or JSON) becomes a [`Component`], or tells every mistake it has with its place.
//! Holds also the reading of documents that configurations, manifests and settings share.
//! Never talks to the engine and never asks whether an image exists.

mod allotment;
mod build;
mod complaint;
pub(crate) mod document;
mod folder;
mod git_address;
mod limits;
mod logging;
mod network;
mod presets;
mod quantity;
mod source;
mod spec;
mod text;

use std::fmt;
use std::path::PathBuf;

use crate::job::{ComponentId, ContentHash};

pub(crate) use allotment::{Allotment, AskedResources, Resources};
pub(crate) use complaint::{Complaint, Complaints};
pub(crate) use folder::{LoadError, list_specs, load};
pub(crate) use git_address::{GitAddress, GitAddressError, GitScheme};
pub(crate) use limits::{LimitKind, Limits, processors, read_positive, read_timeout};
pub(crate) use logging::{GelfTransport, LogChannel, Logging};
pub(crate) use network::{Destination, Host, NamePattern, Network, Range};
pub(crate) use presets::{Preset, Presets, read_presets};
pub(crate) use quantity::{bytes_words, parse_bytes, parse_duration};
pub(crate) use source::read_tag;
pub(crate) use source::{BuildContext, ImageSource, Policy, Stale};
pub(crate) use spec::content_hash;
pub(crate) use spec::parse_spec;
pub(crate) use text::{ReadError, check_readable, read_text};

/// What can be run: an image with limits and habits.
#[derive(Clone, PartialEq)]
pub(crate) struct Component {
    pub id: ComponentId,
    /// The id, where the spec gives no name.
    pub name: String,
    pub description: String,
    pub image: ImageSource,
    /// Of a run for which a configuration asks nothing else.
    pub limits: Limits,
    pub resources: Resources,
    pub network: Network,
    pub user: User,
    pub read_only_root: bool,
    /// Inputs are mounted read-only, so that they may be hard links to stored slices.
    pub read_only_inputs: bool,
    /// Of the configuration file, the state and the manifests in the data folder.
    pub configuration_format: DocumentFormat,
    /// The stage (`in` or `out`) of the bucket for outputs that name none; `None`: they must.
    pub default_bucket: Option<String>,
    /// Always a mapping.
    pub image_parameters: serde_json::Value,
    /// Synchronous actions besides `run`.
    pub actions: Vec<String>,
    pub logging: Logging,
    pub processor_position: ProcessorPosition,
    /// The same image, configuration and inputs always give the same outputs.
    pub deterministic: bool,
    /// Linux capabilities added back, without `CAP_`.
    pub capabilities: Vec<String>,
    /// Of the spec's bytes.
    pub spec_hash: ContentHash,
    pub spec_path: PathBuf,
}

// The image parameters hold secrets, which must not reach a log by way of `{:?}`.
impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("id", &self.id)
            .field("image", &self.image)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Whom the component runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// As the runner does, or as an unprivileged user where the runner is root.
    Runner,
    /// As its image says.
    Image,
    Id {
        uid: u32,
        gid: Option<u32>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentFormat {
    Json,
    Yaml,
}

/// Where in a chain of containers a component may stand as a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessorPosition {
    Any,
    Before,
    After,
}

#[cfg(test)]
mod tests;
