//! Values under `#` keys: which are plain where none may be, which cannot be opened, and the opening itself.

use serde_json::Value;
use zeroize::Zeroize;

use super::secrets::collect_secrets;
use super::{Configuration, Unit};
use crate::component::document::{Item, Report, Value as Tree};
use crate::component::{Complaint, Component};
use crate::job::{ComponentId, ConfigurationId};
use crate::secret::{self, Binding, Keys, OpenError, PLAIN_REFUSED, PlainPolicy};

/// How the secrets of a configuration are looked at.
#[derive(Debug)]
pub(crate) struct SecretCheck<'a> {
    pub(crate) component: &'a ComponentId,
    pub(crate) configuration: Option<&'a ConfigurationId>,
    pub(crate) plain: PlainPolicy,
    /// `None`: whether sealed values open is somebody else's business, who has the keys.
    pub(crate) keys: Option<&'a Keys>,
}

impl SecretCheck<'_> {
    fn binding(&self) -> Binding<'_> {
        Binding { component: self.component, configuration: self.configuration }
    }

    fn of_sealed(&self, text: &str) -> Result<Option<Value>, OpenError> {
        self.keys.map(|keys| secret::open(text, self.binding(), keys)).transpose()
    }
}

impl Configuration {
    /// What is wrong with the values under `#` keys. `component` adds that none of its own secrets stands here in other
    /// clothes: a sealed value that opens to one.
    pub(crate) fn secret_complaints(
        &self,
        check: &SecretCheck<'_>,
        component: Option<&Component>,
    ) -> Vec<Complaint> {
        let of_component = component.map(|component| secrets_of(component, check)).unwrap_or_default();
        let report = Report::new(self.file());
        let walk = Walk { check, of_component };
        let root = Item::root(&self.root, "", &report);
        if let Tree::Map(_) = &root.node.value {
            for (key, item) in root.entries() {
                match key {
                    "rows" => self.check_rows(&item, &walk),
                    // Taken from the component, so what stands here is not opened. It is stored all the same.
                    "image_parameters" => walk.below(&item, false, false),
                    _ => walk.below(&item, secret::is_secret_key(key), true),
                }
            }
        }
        report.into_complaints()
    }

    /// Rows that are left out are not opened.
    fn check_rows(&self, rows: &Item<'_>, walk: &Walk<'_>) {
        let Tree::List(_) = &rows.node.value else { return };
        for (index, item) in rows.items().iter().enumerate() {
            let is_run = self.rows.iter().any(|row| row.index == index && row.is_enabled);
            walk.below(item, false, is_run);
        }
    }
}

struct Walk<'a> {
    check: &'a SecretCheck<'a>,
    of_component: Vec<String>,
}

impl Walk<'_> {
    fn below(&self, item: &Item<'_>, is_secret: bool, opens: bool) {
        match &item.node.value {
            Tree::Map(_) => {
                for (key, item) in item.entries() {
                    self.below(&item, is_secret || secret::is_secret_key(key), opens);
                }
            }
            Tree::List(_) => item.items().iter().for_each(|item| self.below(item, is_secret, opens)),
            Tree::Text(text) if is_secret && secret::is_sealed(text) => {
                if opens {
                    self.sealed(item, text);
                }
            }
            Tree::Text(_) | Tree::Number(_) if is_secret => self.plain(item),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => {}
        }
    }

    fn plain(&self, item: &Item<'_>) {
        if self.check.plain == PlainPolicy::Refuse && secret::is_plain(&item.node.to_json()) {
            item.complain_with(
                PLAIN_REFUSED,
                format!("encrypt it: {}", self.check.binding().encrypt_command()),
            );
        }
    }

    fn sealed(&self, item: &Item<'_>, text: &str) {
        match self.check.of_sealed(text) {
            Err(error) => {
                item.complain_with(error.to_string(), error.remedy(self.check.component.as_str()));
            }
            Ok(Some(Value::String(opened))) if self.of_component.contains(&opened) => {
                item.complain("a secret of the component cannot be used in a configuration");
            }
            Ok(_) => {}
        }
    }
}

/// The component's own secrets, as far as they open.
fn secrets_of(component: &Component, check: &SecretCheck<'_>) -> Vec<String> {
    let mut parameters = component.image_parameters.clone();
    if let Some(keys) = check.keys {
        secret::open_values(&mut parameters, check.binding(), keys);
    }
    collect_secrets(&parameters)
}

/// What is wrong with the values under `#` keys of a spec's image parameters.
pub(crate) fn spec_secret_complaints(component: &Component, check: &SecretCheck<'_>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut complain = |path: &str, message: String, hint: String| {
        complaints.push(Complaint {
            file: component.spec_path.display().to_string(),
            line: None,
            column: None,
            path: format!("image_parameters.{path}"),
            message,
            hint: Some(hint),
        });
    };
    let mut parameters = component.image_parameters.clone();
    if let Some(keys) = check.keys {
        for (path, error) in secret::open_values(&mut parameters, check.binding(), keys) {
            complain(&path, error.to_string(), error.remedy(check.component.as_str()));
        }
    }
    if check.plain == PlainPolicy::Refuse {
        // What stands in a spec is for every configuration.
        let command = Binding { component: check.component, configuration: None }.encrypt_command();
        for path in secret::plain_values(&component.image_parameters) {
            complain(&path, PLAIN_REFUSED.to_owned(), format!("encrypt it: {command}"));
        }
    }
    complaints
}

impl Unit {
    /// Opens what is sealed in the document that the component will read; what does not open stays as it is, and was
    /// complained of.
    pub(crate) fn open_secrets(&mut self, binding: Binding<'_>, keys: &Keys) {
        secret::open_values(&mut self.config_document, binding, keys);
        self.secrets = collect_secrets(&self.config_document);
    }

    /// Adds what is to be masked beside the configuration's own secrets.
    pub(crate) fn add_secrets(&mut self, document: &Value) {
        self.secrets.extend(collect_secrets(document));
    }

    /// For a unit that will not run: nothing of it is to be masked.
    pub(crate) fn forget_secrets(&mut self) {
        self.secrets.iter_mut().for_each(Zeroize::zeroize);
        self.secrets.clear();
    }
}

/// What was opened is overwritten when the unit has ended. Copies that a mask or a file is made of are not ours to count.
impl Drop for Unit {
    fn drop(&mut self) {
        self.secrets.iter_mut().for_each(Zeroize::zeroize);
        secret::wipe_values(&mut self.config_document);
    }
}
