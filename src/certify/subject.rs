//! What is certified: a component, and a configuration and tables that it should succeed on.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::CertifyError;
use crate::component::{Component, document};
use crate::configuration::{self, Configuration, Parsed};
use crate::job::{ConfigurationId, TableId};

/// A component with what it is run on.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) component: Component,
    /// The configuration as its file has it, and the file's name.
    pub(crate) text: String,
    pub(crate) file: String,
    pub(crate) id: ConfigurationId,
    /// Tables to be there, each from a CSV file.
    pub(crate) tables: Vec<(TableId, PathBuf)>,
    /// No run may take longer, whatever the spec allows.
    pub(crate) timeout: Duration,
}

impl Subject {
    /// The configuration as JSON.
    pub(super) fn document(&self) -> Result<Value, CertifyError> {
        let parsed = document::parse(&self.text, &self.file);
        let node = parsed.map_err(|complaints| wrong(&complaints.0))?;
        let document = node.to_json();
        Ok(if document.is_object() { document } else { json!({}) })
    }

    /// The configuration as it was given, with its own lines and columns in complaints.
    pub(super) fn configuration(&self) -> Result<Configuration, CertifyError> {
        checked(configuration::parse(&self.text, &self.file))
    }

    /// The configuration without parameters, of itself and of its rows; `None` where it has none to leave out.
    pub(super) fn without_parameters(&self) -> Result<Option<Value>, CertifyError> {
        let mut document = self.document()?;
        let mut had_some = empty_parameters(&mut document);
        for row in document.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten() {
            had_some |= row.get_mut("configuration").is_some_and(empty_parameters);
        }
        Ok(had_some.then_some(document))
    }

    /// The configuration with one more parameter, in every row too.
    pub(super) fn with_parameter(&self, key: &str, value: &str) -> Result<Value, CertifyError> {
        let mut document = self.document()?;
        // Rows are merged over the root, so what the root says every row has.
        let parameters = &mut document["parameters"];
        if !parameters.is_object() {
            *parameters = json!({});
        }
        parameters[key] = value.into();
        Ok(document)
    }
}

/// A document of our own making as a configuration.
pub(super) fn configuration_of(document: &Value) -> Result<Configuration, CertifyError> {
    checked(configuration::parse(&document.to_string(), "(the configuration, altered).json"))
}

fn checked(parsed: Parsed) -> Result<Configuration, CertifyError> {
    if parsed.complaints.is_empty() { Ok(parsed.configuration) } else { Err(wrong(&parsed.complaints)) }
}

fn wrong(complaints: &[crate::component::Complaint]) -> CertifyError {
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    CertifyError::Configuration { message: lines.join("\n") }
}

fn empty_parameters(document: &mut Value) -> bool {
    match document.get_mut("parameters") {
        Some(parameters) if parameters.as_object().is_some_and(|parameters| !parameters.is_empty()) => {
            *parameters = Value::Object(Map::new());
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{Presets, parse_spec};

    fn subject(text: &str) -> Subject {
        Subject {
            component: parse_spec("{id: a, image: {uri: a}}", "a.yaml", &Presets::default()).unwrap(),
            text: text.to_owned(),
            file: "task.yaml".to_owned(),
            id: ConfigurationId::parse("task").unwrap(),
            tables: Vec::new(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn parameters_are_left_out_of_the_root_and_of_every_row() {
        let subject = subject("{parameters: {a: 1}, rows: [{id: x, configuration: {parameters: {b: 2}}}]}");
        let expected =
            json!({ "parameters": {}, "rows": [{ "id": "x", "configuration": { "parameters": {} } }] });
        assert_eq!(subject.without_parameters().unwrap(), Some(expected));
    }

    #[test]
    fn where_there_are_none_there_is_nothing_to_leave_out() {
        assert_eq!(subject("storage: {}").without_parameters().unwrap(), None);
        assert_eq!(subject("").without_parameters().unwrap(), None);
    }

    #[test]
    fn a_parameter_is_added_whatever_stood_there() {
        for text in ["", "parameters: []", "{parameters: {}}"] {
            let expected = json!({ "#canary": "x" });
            assert_eq!(
                subject(text).with_parameter("#canary", "x").unwrap()["parameters"],
                expected,
                "{text}"
            );
        }
    }
}
