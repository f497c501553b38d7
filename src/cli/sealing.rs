//! What the command line does with the secrets of configurations that it stores or sends: none goes out in plain text.

use serde_json::Value;

use super::exit::Trouble;
use super::home::Home;
use crate::component::{Complaint, Component, document};
use crate::configuration::{self, RewriteError, SecretCheck, seal_text};
use crate::job::{ComponentId, ConfigurationId};
use crate::secret::{self, Binding, KeyError, Keys};
use crate::settings::Settings;

/// What is wrong with the secrets of a configuration, as far as the keys of this machine can tell: without any, whether
/// sealed values open is left to the worker.
pub(super) fn complaints(
    text: &str,
    file: &str,
    (id, component): (&ComponentId, Option<&Component>),
    configuration: Option<&ConfigurationId>,
    settings: &Settings,
) -> Result<Vec<Complaint>, KeyError> {
    let rules = settings.secret_rules();
    let keys = Some(rules.keyring.read(false)?).filter(Keys::can_open);
    let check = SecretCheck { component: id, configuration, plain: rules.plain, keys: keys.as_ref() };
    let parsed = configuration::parse(text, file).configuration;
    let mut found = parsed.secret_complaints(&check, component);
    found.extend(
        component.map(|spec| configuration::spec_secret_complaints(spec, &check)).unwrap_or_default(),
    );
    Ok(found)
}

/// A request's configuration with its plain secrets sealed.
pub(super) async fn sealed_data(
    mut data: Value,
    binding: Binding<'_>,
    home: &Home,
) -> Result<Value, Trouble> {
    if !secret::plain_values(&data).is_empty() {
        let keys = home.settings.secret_rules().keyring.keys_to_seal().await?;
        secret::seal_values(&mut data, binding, &keys)?;
    }
    Ok(data)
}

/// A configuration's text to be stored, and what to say of it. `stored` is the newest version that there is: where it
/// opens to the same it is taken, as sealing never gives the same text twice.
pub(super) async fn sealed_text(
    text: String,
    file: &str,
    binding: Binding<'_>,
    stored: Option<&str>,
    home: &Home,
) -> Result<(String, Option<String>), Trouble> {
    let read = |text: &str| document::parse(text, file).map(|node| node.to_json());
    let unreadable = |complaints: crate::component::Complaints| Trouble::user(complaints.to_string());
    let mut wanted = read(&text).map_err(unreadable)?;
    if secret::plain_values(&wanted).is_empty() {
        return Ok((text, None));
    }
    let keys = home.settings.secret_rules().keyring.keys_to_seal().await?;
    if let Some(stored) = stored
        && let Ok(mut newest) = document::parse(stored, "stored").map(|node| node.to_json())
    {
        secret::open_values(&mut newest, binding, &keys);
        secret::open_values(&mut wanted, binding, &keys);
        if newest == wanted {
            return Ok((stored.to_owned(), None));
        }
    }
    let sealed = seal_text(&text, file, binding, &keys).map_err(|error| match error {
        RewriteError::Unreadable(complaints) => unreadable(complaints),
        RewriteError::Seal(error) => error.into(),
    })?;
    let kept = if sealed.stuck_at.is_some() { ", as JSON, because its layout could not be kept" } else { "" };
    let note = format!("its secrets are stored encrypted{kept}");
    Ok((sealed.text, Some(note)))
}
