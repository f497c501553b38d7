//! One unit: the merged keys become mappings, limits and the document that the component will read.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Unit;
use super::input::read_input;
use super::output::read_output;
use super::secrets::collect_secrets;
use crate::component::document::{Fields, Item, Node, Place, Report, Value as Tree};
use crate::component::{AskedResources, Complaint, Component, Preset, read_positive, read_tag, read_timeout};
use crate::job::{ConfigurationId, InputMapping, OutputMapping, RowId, TableId};

/// What a unit is read for.
pub(super) struct Asked<'a> {
    pub(super) file: &'a str,
    pub(super) component: &'a Component,
    pub(super) id: Option<&'a ConfigurationId>,
    pub(super) now: Timestamp,
}

/// The unit of `node`, unless that is no mapping, and its complaints.
pub(super) fn read_unit(
    node: &Node,
    row: Option<(&RowId, usize)>,
    asked: &Asked<'_>,
) -> (Vec<Unit>, Vec<Complaint>) {
    let report = Report::new(asked.file);
    let path = row.map_or_else(String::new, |(_id, index)| format!("rows[{index}].configuration"));
    let unit = build_unit(&Item::root(node, &path, &report), row, asked);
    let mut complaints = report.into_complaints();
    complaints.extend(unit.iter().flat_map(|unit| over_ceilings(unit, node, asked)));
    (unit.into_iter().collect(), complaints)
}

/// What this unit may use and the settings do not allow, at its place in the configuration where it says so.
fn over_ceilings(unit: &Unit, node: &Node, asked: &Asked<'_>) -> Vec<Complaint> {
    let resources = &asked.component.resources;
    let mut complaints = resources.over_ceilings(&unit.allotment, asked.file, &unit.path_prefix);
    for complaint in complaints.iter_mut().filter(|complaint| complaint.file == asked.file) {
        let path = complaint.path.strip_prefix(&unit.path_prefix).unwrap_or(&complaint.path);
        let place = node.locate(path).filter(|place| *place != Place::default());
        complaint.line = place.map(|place| place.line);
        complaint.column = place.map(|place| place.column);
    }
    complaints
}

fn build_unit(item: &Item<'_>, row: Option<(&RowId, usize)>, asked: &Asked<'_>) -> Option<Unit> {
    // Where the root is no mapping the frame has said so already.
    let mut fields = item.fields()?;
    let mut notices = Vec::new();
    let (input, mut output) =
        fields.get("storage").map(|item| read_storage(&item, asked.now, &mut notices)).unwrap_or_default();
    if output.default_bucket.is_none() {
        output.default_bucket = default_bucket(item, asked);
    }
    let runtime = fields.get("runtime").map(|item| read_runtime(&item, &mut notices)).unwrap_or_default();
    read_unsupported(&mut fields);
    if let Some(item) =
        fields.filled("action").filter(|item| item.text().is_some_and(|action| action != "run"))
    {
        item.complain("a job always runs the action `run`");
    }
    fields.ignore(&["parameters", "image_parameters", "rows"]);
    fields.finish();
    let config_document = config_document(item.node, asked.component);
    check_secrets(item, asked.component);
    Some(Unit {
        row: row.map(|(id, _index)| id.clone()),
        row_index: row.map_or(0, |(_id, index)| index),
        input,
        output,
        secrets: collect_secrets(&config_document),
        config_document,
        allotment: asked.component.resources.allot(runtime.resources),
        image_tag: runtime.image_tag,
        notices,
        path_prefix: if row.is_some() { format!("{}.", item.path) } else { String::new() },
    })
}

fn read_storage(item: &Item<'_>, now: Timestamp, notices: &mut Vec<String>) -> (InputMapping, OutputMapping) {
    let Some(mut fields) = item.fields() else {
        return Default::default();
    };
    let input = fields.get("input").map(|item| read_input(&item, now)).unwrap_or_default();
    let output = fields.get("output").map(|item| read_output(&item, now, notices)).unwrap_or_default();
    fields.finish();
    (input, output)
}

/// The bucket that the component's spec asks for, named after component and configuration.
fn default_bucket(item: &Item<'_>, asked: &Asked<'_>) -> Option<String> {
    let stage = asked.component.default_bucket.as_deref()?;
    let Some(id) = asked.id else {
        item.complain_with(
            format!("{} publishes into a default bucket, which needs a configuration id", asked.component.id),
            "set `storage.output.default_bucket`",
        );
        return None;
    };
    let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "-");
    let bucket = format!("{stage}.c-{}-{}", plain(asked.component.id.as_str()), plain(id.as_str()));
    if let Err(error) = TableId::in_bucket(&bucket, "name") {
        item.complain_with(
            format!("the default bucket has no legal name: {error}"),
            "set `storage.output.default_bucket`",
        );
        return None;
    }
    Some(bucket)
}

#[derive(Default)]
struct Runtime {
    resources: AskedResources,
    image_tag: Option<String>,
}

/// `runtime` belongs to many tools: keys that mean nothing here are nobody's mistake.
fn read_runtime(item: &Item<'_>, notices: &mut Vec<String>) -> Runtime {
    let Some(mut fields) = item.fields() else {
        return Runtime::default();
    };
    let timeout = fields.filled("process_timeout").and_then(|item| read_process_timeout(&item));
    let preset = fields.filled("backend").and_then(|item| read_backend(&item, notices));
    let tags = [fields.filled("tag"), fields.filled("image_tag")];
    let image_tag = tags.into_iter().flatten().find_map(|item| read_tag(&item));
    if let Some(item) = fields.get("use_file_storage_only").filter(|item| item.flag() == Some(true)) {
        item.complain("publishing tables as files is not supported");
    }
    Runtime { resources: AskedResources { preset, timeout }, image_tag }
}

/// The size that a configuration asks for. One that is not known here is a notice and no mistake, as Keboola has it: a
/// configuration may come from where there are others. The rest of `backend` is for warehouses.
fn read_backend(item: &Item<'_>, notices: &mut Vec<String>) -> Option<Preset> {
    let size = item.fields()?.filled("type")?.text()?;
    let preset = Preset::parse(size);
    if preset.is_none() {
        let known = Preset::ALL.map(Preset::as_str).join(", ");
        notices.push(format!(
            "`runtime.backend.type` {size:?} is none of the sizes known here ({known}): the component's own limits hold"
        ));
    }
    preset
}

/// Seconds as a number, or a duration with its unit.
fn read_process_timeout(item: &Item<'_>) -> Option<Duration> {
    match &item.node.value {
        Tree::Text(_) => read_timeout(item),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) | Tree::Map(_) => {
            read_positive(item).map(Duration::from_secs)
        }
    }
}

/// What would make a different job of it is refused rather than left out.
fn read_unsupported(fields: &mut Fields<'_>) {
    if let Some(item) = fields.filled("processors")
        && let Some(mut processors) = item.fields()
    {
        for key in ["before", "after"] {
            if let Some(item) = processors.filled(key) {
                item.complain("processors are not supported yet");
            }
        }
        processors.finish();
    }
    for key in ["variables_id", "variables_values_id"] {
        if let Some(item) = fields.filled(key) {
            item.complain_with("variables are not supported yet", "write the values themselves");
        }
    }
    for key in ["shared_code_id", "shared_code_row_ids"] {
        if let Some(item) = fields.filled(key) {
            item.complain_with("shared code is not supported yet", "write the code itself");
        }
    }
    if let Some(item) = fields.filled("artifacts").filter(|item| asks_for_artifacts(&item.node.to_json())) {
        item.complain("artifacts are not supported yet");
    }
    let Some(authorization) = fields.filled("authorization") else {
        return;
    };
    let Some(mut authorization) = authorization.fields() else {
        return;
    };
    if let Some(oauth) = authorization.filled("oauth_api") {
        let has_credentials = oauth.node.get("credentials").is_some();
        if let Some(mut oauth) = oauth.fields()
            && let Some(id) = oauth.filled("id").filter(|_id| !has_credentials)
        {
            id.complain_with(
                "there is no OAuth service to ask",
                "write `oauth_api.credentials` into the configuration",
            );
        }
    }
    authorization.ignore(&["workspace", "context", "app_proxy"]);
    authorization.finish();
}

fn asks_for_artifacts(artifacts: &Value) -> bool {
    ["runs", "custom", "shared"]
        .into_iter()
        .any(|kind| artifacts.get(kind).and_then(|kind| kind.get("enabled")) == Some(&Value::Bool(true)))
}

/// The document that the component reads, with the keys that are for the runner left out.
fn config_document(node: &Node, component: &Component) -> Value {
    let said = |key: &str| node.get(key).map(Node::to_json).filter(|value| !value.is_null());
    // An empty list is PHP's empty mapping, which components do not expect here.
    let mapping = |key: &str| match said(key) {
        Some(Value::Array(list)) if list.is_empty() => Value::Object(Map::new()),
        Some(value) => value,
        None => Value::Object(Map::new()),
    };
    let mut authorization = mapping("authorization");
    if let Some(Value::Object(oauth)) = authorization.get_mut("oauth_api") {
        oauth.shift_remove("id");
        oauth.shift_remove("version");
    }
    let mut document = Map::new();
    document.insert("parameters".into(), mapping("parameters"));
    document.insert("storage".into(), mapping("storage"));
    document.insert("image_parameters".into(), component.image_parameters.clone());
    document.insert("authorization".into(), authorization);
    document.insert("action".into(), Value::String("run".into()));
    document.insert("shared_code_row_ids".into(), Value::Array(Vec::new()));
    if let Some(artifacts) = said("artifacts") {
        document.insert("artifacts".into(), artifacts);
    }
    Value::Object(document)
}

/// Complains about values under `#` keys that cannot work: those of the component itself, which are a leak or an
/// attempt at one, and those that only Keboola can decrypt.
fn check_secrets(item: &Item<'_>, component: &Component) {
    let of_component = collect_secrets(&component.image_parameters);
    for (key, item) in item.entries() {
        if key != "image_parameters" && key != "rows" {
            check_secrets_below(&item, key.starts_with('#'), &of_component);
        }
    }
}

fn check_secrets_below(item: &Item<'_>, is_secret: bool, of_component: &[String]) {
    match &item.node.value {
        Tree::Text(text) if is_secret && of_component.contains(text) => {
            item.complain("a secret of the component cannot be used in a configuration");
        }
        Tree::Text(text) if is_secret && text.starts_with("KBC::") && text.contains("Secure") => {
            item.complain_with("is encrypted for Keboola and cannot be read here", "write the value itself");
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => {}
        Tree::List(_) => {
            for item in item.items() {
                check_secrets_below(&item, is_secret, of_component);
            }
        }
        Tree::Map(_) => {
            for (key, item) in item.entries() {
                check_secrets_below(&item, is_secret || key.starts_with('#'), of_component);
            }
        }
    }
}
