//! `LONGSHORE_*` over the file: `presets.small.memory` is `LONGSHORE_PRESETS_SMALL_MEMORY`.

use crate::component::Preset;
use crate::component::document::{Entry, Node, Place, Value};

/// Keys that are texts, durations or amounts of bytes.
const TEXT_KEYS: [&str; 47] = [
    "state_dir",
    "component_specs_dir",
    "work_dir",
    "engine_host",
    "engine_patience",
    "column_names",
    "quarantine_retention",
    "stop_grace",
    "log_bytes_max",
    "disk_reserve",
    "outputs.manifest_bytes_max",
    "outputs.sparse_bytes_min",
    "outputs.table_bytes_max",
    "catalog.url",
    "catalog.url_file",
    "catalog.patience",
    "blobs.patience",
    "blobs.s3.bucket",
    "blobs.s3.prefix",
    "blobs.s3.endpoint",
    "blobs.s3.region",
    "blobs.s3.access_key_id",
    "blobs.s3.secret_access_key",
    "blobs.s3.secret_access_key_file",
    "queue.url",
    "queue.url_file",
    "queue.ca_file",
    "queue.prefix",
    "queue.heartbeat",
    "worker.memory",
    "worker.disk",
    "worker.beat",
    "worker.lease",
    "worker.poll",
    "worker.retry_delay",
    "worker.retry_delay_max",
    "http.listen",
    "log.format",
    "otlp.endpoint",
    "git.size_max",
    "network.guard",
    "network.subnets",
    "secrets.identity",
    "secrets.identity_file",
    "secrets.recipients",
    "secrets.plain",
    "secrets.in_outputs",
];

/// Keys that are numbers or flags.
const TYPED_KEYS: [&str; 13] = [
    "sync",
    "events_max",
    "output_files_max",
    "outputs.entries_max",
    "outputs.name_bytes_max",
    "outputs.depth_max",
    "catalog.connections_max",
    "blobs.s3.path_style",
    "queue.publish_events",
    "worker.slots",
    "worker.cpus",
    "worker.attempts_max",
    "git.allow_file",
];

/// Of each preset and of the ceilings.
const PRESET_TEXT_KEYS: [&str; 4] = ["memory", "disk", "timeout", "tmp"];
const PRESET_TYPED_KEYS: [&str; 2] = ["cpus", "pids"];

/// A variable of this process.
pub(crate) fn process_environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    let value = std::env::var_os(name);
    // What is not UTF-8 becomes a visibly wrong value instead of an unset one.
    value.map(|value| value.to_string_lossy().into_owned())
}

/// Puts what the environment says into the tree; returns the paths put and their variables.
pub(super) fn lay_over(
    root: &mut Node,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let mut overrides = Vec::new();
    for (path, is_typed) in known_keys() {
        let variable = format!("LONGSHORE_{}", path.join("_").to_uppercase());
        if let Some(text) = environment(&variable) {
            let value = if is_typed { typed(text) } else { Value::Text(text) };
            forget_other_way(root, &path);
            put(root, &path, value);
            overrides.push((path.join("."), variable));
        }
    }
    overrides
}

pub(super) fn known_keys() -> Vec<(Vec<&'static str>, bool)> {
    let path = |key: &'static str| key.split('.').collect();
    let root = TEXT_KEYS.map(|key| (path(key), false)).into_iter();
    let root = root.chain(TYPED_KEYS.map(|key| (path(key), true)));
    let of_preset = Preset::ALL.into_iter().flat_map(|preset| {
        let key = move |key| vec!["presets", preset.as_str(), key];
        let texts = PRESET_TEXT_KEYS.into_iter().map(move |name| (key(name), false));
        texts.chain(PRESET_TYPED_KEYS.into_iter().map(move |name| (key(name), true)))
    });
    let ceilings = PRESET_TEXT_KEYS.into_iter().map(|name| (vec!["ceilings", name], false));
    let ceilings = ceilings.chain(PRESET_TYPED_KEYS.into_iter().map(|name| (vec!["ceilings", name], true)));
    root.chain(of_preset).chain(ceilings).collect()
}

fn typed(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(serde_json::Value::Bool(flag)) => Value::Bool(flag),
        Ok(serde_json::Value::Number(number)) => Value::Number(number),
        // Whoever reads the key says what it should have been.
        Ok(_) | Err(_) => Value::Text(text),
    }
}

/// Of `url` and `url_file` the environment's takes the file's place, whichever of them that was.
fn forget_other_way(root: &mut Node, path: &[&str]) {
    let Some((key, sections)) = path.split_last() else {
        return;
    };
    let other = match key.strip_suffix("_file") {
        Some(key) => key.to_owned(),
        None => format!("{key}_file"),
    };
    let mut node = root;
    for section in sections {
        let Value::Map(entries) = &mut node.value else {
            return;
        };
        let Some(entry) = entries.iter_mut().find(|entry| entry.key == *section) else {
            return;
        };
        node = &mut entry.node;
    }
    if let Value::Map(entries) = &mut node.value {
        // What the environment itself has put has no place.
        entries.retain(|entry| entry.key != other || entry.node.place == Place::default());
    }
}

/// Sets the value at a path. Where something other than a mapping is in the way the file is wrong and says so.
fn put(node: &mut Node, path: &[&str], value: Value) {
    let Some((key, rest)) = path.split_first() else {
        *node = Node { place: Place::default(), value };
        return;
    };
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else {
        return;
    };
    if let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) {
        return put(&mut entry.node, rest, value);
    }
    let mut node = Node { place: Place::default(), value: Value::Null };
    put(&mut node, rest, value);
    entries.push(Entry { place: Place::default(), key: (*key).to_owned(), node });
}
