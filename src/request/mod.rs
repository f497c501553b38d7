//! The job request as JSON, version 1: what a message carries and what the catalog keeps of it.
//! `docs/job-request.md` describes it for whoever sends one, `docs/job-request.schema.json` for machines.

mod preview;

use crate::component::document::{self, Fields, Item, Report};
use crate::component::{Complaint, Complaints, read_tag};
use crate::job::{ComponentId, ConfigurationId, Priority, RunMode};

pub(crate) use preview::preview;

/// The one version there is. It grows when a key changes its meaning or goes away.
const VERSION: u64 = 1;

const MODES: [(&str, RunMode); 3] =
    [("run", RunMode::Run), ("input", RunMode::Input), ("debug", RunMode::Debug)];

/// A parsed request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequestDocument {
    pub(crate) component: ComponentId,
    /// A stored configuration, or the name of the one given in `data`.
    pub(crate) configuration: Option<ConfigurationId>,
    /// The configuration itself; it wins over a stored one of the same id.
    pub(crate) data: Option<serde_json::Value>,
    pub(crate) mode: RunMode,
    /// Runs this image tag instead of the spec's.
    pub(crate) tag: Option<String>,
    /// `None`: the lane it came in by.
    pub(crate) priority: Option<Priority>,
}

/// Parses a request; `name` stands where a file's name would in complaints. All complaints at once: unknown keys,
/// wrong types, an unknown `version`. Neither `configuration` nor `data` is fine: a component may need none.
pub(crate) fn parse(bytes: &[u8], name: &str) -> Result<RequestDocument, Complaints> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| complain(name, format!("not UTF-8: {error}")))?
        .trim_start_matches('\u{feff}');
    // The reader of documents would take anything else for YAML, and a request is JSON only.
    if !text.trim_start().starts_with('{') {
        return Err(complain(name, "a job request is a JSON object".to_owned()));
    }
    let node = document::parse(text, name)?;
    let report = Report::new(name);
    let request = Item::root(&node, "", &report).fields().and_then(read_request);
    Complaints::check(request, report.into_complaints())
}

fn read_request(mut fields: Fields<'_>) -> Option<RequestDocument> {
    if let Some(item) = fields.required("version") {
        read_version(&item);
    }
    let component = fields.required("component").and_then(|item| item.parsed(str::parse));
    let configuration = fields.get("configuration").and_then(|item| item.parsed(str::parse));
    let data = fields.get("data").and_then(|item| {
        // Asked for its keys only to hear whether it is a mapping at all.
        item.fields().map(|_fields| item.node.to_json())
    });
    let mode = fields.get("mode").and_then(|item| item.one_of(&MODES)).unwrap_or_default();
    let tag = fields.get("tag").and_then(|item| read_tag(&item));
    let priorities = Priority::ALL.map(|priority| (priority.as_str(), priority));
    let priority = fields.get("priority").and_then(|item| item.one_of(&priorities));
    fields.finish();
    Some(RequestDocument { component: component?, configuration, data, mode, tag, priority })
}

fn read_version(item: &Item<'_>) {
    if let Some(version) = item.whole().filter(|version| *version != VERSION) {
        item.complain_with(
            format!("version {version} of the job request is not known"),
            format!("this release of Longshore reads version {VERSION}"),
        );
    }
}

fn complain(name: &str, message: String) -> Complaints {
    Complaints(vec![Complaint {
        file: name.to_owned(),
        line: None,
        column: None,
        path: String::new(),
        message,
        hint: None,
    }])
}

impl RequestDocument {
    /// The canonical JSON text: the keys in one order, without those that say nothing; `data` as it was given.
    pub(crate) fn to_json(&self) -> String {
        let mut document = serde_json::Map::new();
        document.insert("version".into(), VERSION.into());
        document.insert("component".into(), self.component.as_str().into());
        let configuration = self.configuration.as_ref().map(|id| id.as_str().into());
        let mode = (self.mode != RunMode::default()).then(|| self.mode.as_str().into());
        let optional = [
            ("configuration", configuration),
            ("mode", mode),
            ("tag", self.tag.as_deref().map(Into::into)),
            ("priority", self.priority.map(|priority| priority.as_str().into())),
            ("data", self.data.clone()),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                document.insert(key.into(), value);
            }
        }
        serde_json::Value::Object(document).to_string()
    }
}

#[cfg(test)]
mod tests;
