//! The wire form of a spec.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::allotment::{AskedResources, Resources};
use super::complaint::Complaints;
use super::document::{self, Fields, Item, Report, has_extension};
use super::logging::read_logging;
use super::network::read_network;
use super::presets::Presets;
use super::source::read_image;
use super::{Component, DocumentFormat, Network, ProcessorPosition, User};
use crate::job::{ComponentId, ContentHash};

/// Reads a spec. `file` is its path: it names the spec in complaints, and its name must be the id.
pub(crate) fn parse_spec(text: &str, file: &str, presets: &Presets) -> Result<Component, Complaints> {
    let node = document::parse(text, file)?;
    let report = Report::new(file);
    let component = read_component(&Item::root(&node, "", &report), text, file, presets);
    Complaints::check(component, report.into_complaints())
}

fn read_component(item: &Item<'_>, text: &str, file: &str, presets: &Presets) -> Option<Component> {
    let mut fields = item.fields()?;
    let id = fields.required("id").and_then(|item| read_id(&item, file));
    let name = read_text(&mut fields, "name");
    let description = read_text(&mut fields, "description").unwrap_or_default();
    let image = fields.required("image").and_then(|item| read_image(&item));
    let resources = Resources::read(fields.get("resources").as_ref(), file, presets);
    let network = fields
        .get("network")
        .map_or(Some(Network::Bridge { private: Vec::new() }), |item| read_network(&item));
    let user = fields.get("user").and_then(|item| read_user(&item)).unwrap_or(User::Runner);
    let read_only_root = read_flag(&mut fields, "read_only_root");
    let read_only_inputs = read_flag(&mut fields, "read_only_inputs");
    let configuration_format = fields.get("configuration_format").and_then(|item| item.one_of(&FORMATS));
    let default_bucket = read_default_bucket(&mut fields);
    let image_parameters = read_image_parameters(&mut fields);
    let actions = fields.get("actions").map(|item| item.texts()).unwrap_or_default();
    let logging = fields.get("logging").and_then(|item| read_logging(&item)).unwrap_or_default();
    let processor_position = fields.get("processor_position").and_then(|item| item.one_of(&POSITIONS));
    let deterministic = read_flag(&mut fields, "deterministic");
    let capabilities = fields.get("capabilities").map(|item| read_capabilities(&item)).unwrap_or_default();
    fields.finish();
    let id = id?;
    Some(Component {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        description,
        image: image?,
        limits: resources.allot(AskedResources::default()).limits,
        resources,
        // Without one there is a complaint.
        network: network?,
        user,
        read_only_root,
        read_only_inputs,
        configuration_format: configuration_format.unwrap_or(DocumentFormat::Json),
        default_bucket,
        image_parameters,
        actions,
        logging,
        processor_position: processor_position.unwrap_or(ProcessorPosition::Any),
        deterministic,
        capabilities,
        spec_hash: content_hash(text.as_bytes()),
        spec_path: PathBuf::from(file),
    })
}

const FORMATS: [(&str, DocumentFormat); 2] = [("json", DocumentFormat::Json), ("yaml", DocumentFormat::Yaml)];

const POSITIONS: [(&str, ProcessorPosition); 3] = [
    ("any", ProcessorPosition::Any),
    ("before", ProcessorPosition::Before),
    ("after", ProcessorPosition::After),
];

fn read_text(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    fields.get(key).and_then(|item| item.text()).map(str::to_owned)
}

fn read_flag(fields: &mut Fields<'_>, key: &'static str) -> bool {
    fields.get(key).and_then(|item| item.flag()).unwrap_or(false)
}

/// The id, which people look up by the name of the file.
fn read_id(item: &Item<'_>, file: &str) -> Option<ComponentId> {
    let id: ComponentId = item.parsed(|text| ComponentId::parse(text))?;
    let path = Path::new(file);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    if has_extension(file, &["yaml", "yml", "json"]) && stem != Some(id.as_str()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(file);
        item.complain_with(
            format!("the id is {id} but the file is named {name}"),
            format!("rename it {id}.yaml"),
        );
    }
    Some(id)
}

fn read_user(item: &Item<'_>) -> Option<User> {
    let text = item.text_or_number()?;
    let ids = || {
        let (uid, gid) = text.split_once(':').map_or((text.as_str(), None), |(uid, gid)| (uid, Some(gid)));
        let gid = gid.map(str::parse).transpose().ok()?;
        Some(User::Id { uid: uid.parse().ok()?, gid })
    };
    let user = match text.as_str() {
        "runner" => Some(User::Runner),
        "image" => Some(User::Image),
        _ => ids(),
    };
    if user.is_none() {
        item.complain("expected runner, image or <uid>[:<gid>] in numbers");
    }
    user
}

/// The stage of the default bucket, when the component wants one.
fn read_default_bucket(fields: &mut Fields<'_>) -> Option<String> {
    let is_wanted = read_flag(fields, "default_bucket");
    let stage = fields.get("default_bucket_stage");
    if let (Some(stage), false) = (&stage, is_wanted) {
        stage.complain_with("means something only with a default bucket", "set `default_bucket: true`");
    }
    let stage = stage.and_then(|item| item.one_of(&[("in", "in"), ("out", "out")])).unwrap_or("in");
    is_wanted.then(|| stage.to_owned())
}

fn read_image_parameters(fields: &mut Fields<'_>) -> serde_json::Value {
    let empty = || serde_json::Value::Object(serde_json::Map::new());
    let Some(item) = fields.filled("image_parameters") else {
        return empty();
    };
    item.fields().map_or_else(empty, |_is_mapping| item.node.to_json())
}

/// All that Linux has, by capabilities(7). The engine refuses others when a container is made, which would look like
/// trouble of the platform.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Names of Linux capabilities, without `CAP_` as the engine wants them.
fn read_capabilities(item: &Item<'_>) -> Vec<String> {
    let read = |item: &Item<'_>| {
        let upper = item.text()?.to_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned();
        if !CAPABILITIES.contains(&name.as_str()) {
            item.complain_with("not a single capability", "name each one, e.g. NET_BIND_SERVICE");
            return None;
        }
        Some(name)
    };
    item.items().iter().filter_map(read).collect()
}

/// SHA-256 of bytes.
pub(crate) fn content_hash(bytes: &[u8]) -> ContentHash {
    let hex: String =
        Sha256::digest(bytes).iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect();
    match ContentHash::parse(hex) {
        Ok(hash) => hash,
        Err(error) => unreachable!("64 hexadecimal digits are a content hash: {error}"),
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}
