//! Where keys are, and what a project allows of secrets.

use std::path::{Path, PathBuf};

use super::Settings;
use crate::component::document::{Item, Value};
use crate::job::Hidden;
use crate::secret::{Keyring, Keys, LeakPolicy, PlainPolicy, SecretRules};

/// The key that a local project makes for itself, in its state folder.
const PROJECT_KEY: &str = "secret.key";

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SecretOptions {
    identity: Option<Hidden>,
    identity_file: Option<PathBuf>,
    recipients: Vec<String>,
    /// `None`: as the place asks for it.
    plain: Option<PlainPolicy>,
    in_outputs: LeakPolicy,
}

/// `has_catalog`: other machines share what is stored.
pub(super) fn read_secrets(item: Option<Item<'_>>, folder: &Path, has_catalog: bool) -> SecretOptions {
    let Some(mut fields) = item.and_then(|item| item.fields()) else { return SecretOptions::default() };
    let identity = fields.filled("identity");
    let identity_file = fields.filled("identity_file");
    if let (Some(_), Some(file)) = (&identity, &identity_file) {
        file.complain("`identity` is there too: give one of the two");
    }
    let plain_item = fields.get("plain");
    let words = [("accept", PlainPolicy::Accept), ("refuse", PlainPolicy::Refuse)];
    let plain = plain_item.as_ref().and_then(|item| item.one_of(&words));
    let has_identity = identity.is_some() || identity_file.is_some();
    if let Some(item) = plain_item.filter(|_item| plain == Some(PlainPolicy::Accept))
        && has_catalog
        && !has_identity
    {
        item.complain_with(
            "plain secrets would lie in the shared catalog as they are",
            "set `secrets.identity_file` too, so that they are encrypted",
        );
    }
    let words = [("ignore", LeakPolicy::Ignore), ("warn", LeakPolicy::Warn), ("block", LeakPolicy::Block)];
    let in_outputs = fields.get("in_outputs").and_then(|item| item.one_of(&words)).unwrap_or_default();
    let options = SecretOptions {
        // The file is read when a key is needed: it may be what `secret keygen` is about to write.
        identity_file: identity_file.and_then(|item| item.text()).map(|path| folder.join(path)),
        identity: identity.and_then(|item| item.text()).map(Hidden::new),
        recipients: fields.filled("recipients").map(|item| read_recipients(&item)).unwrap_or_default(),
        plain,
        in_outputs,
    };
    fields.finish();
    options
}

/// A list, or a text with commas as the environment gives it.
fn read_recipients(item: &Item<'_>) -> Vec<String> {
    let texts = match &item.node.value {
        Value::Text(text) => text.split(',').map(|text| text.trim().to_owned()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => item.texts(),
    };
    if let Err(error) = Keys::default().with_recipients(&texts) {
        item.complain(error.to_string());
    }
    texts
}

impl Settings {
    /// How secrets are treated here, and with which keys.
    pub(crate) fn secret_rules(&self) -> SecretRules {
        let options = &self.secrets;
        // Where other machines share the catalog, a key of this one alone would lock them out.
        let is_local = self.catalog.is_none();
        let is_service = self.catalog.is_some() || self.queue.is_some();
        let plain = if is_service { PlainPolicy::Refuse } else { PlainPolicy::Accept };
        SecretRules {
            keyring: Keyring {
                identity: options.identity.clone(),
                identity_file: options.identity_file.clone(),
                recipients: options.recipients.clone(),
                project_file: is_local.then(|| self.state_dir.join(PROJECT_KEY)),
            },
            plain: options.plain.unwrap_or(plain),
            in_outputs: options.in_outputs,
        }
    }
}
