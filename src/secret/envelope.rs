//! The text of a sealed value: `longshore:v1:<hints>:<base64>`.
//!
//! The base64 is an age message to X25519 recipients. Inside stand the value and whom it was made for, so both are
//! authenticated. The hints (beginnings of public keys, with `+` between them) are not: age's own stanzas are anonymous,
//! and a person whose key is missing must be told which. They are believed in messages only.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use age::x25519::Recipient;

use super::key::{HINT_LENGTH, hint};
use super::{Keys, OpenError, ResealError, SealError};
use crate::job::{ComponentId, ConfigurationId};

/// What every sealed value begins with, whatever its version.
const FAMILY: &str = "longshore:v";
const PREFIX: &str = "longshore:v1:";

/// Where a sealed value may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding<'a> {
    pub(crate) component: &'a ComponentId,
    /// When sealing: only in this configuration. When opening: the one it stands in.
    pub(crate) configuration: Option<&'a ConfigurationId>,
}

impl Binding<'_> {
    /// What to call to seal a value that may stand here.
    pub(crate) fn encrypt_command(self) -> String {
        let configuration = self.configuration.map(|id| format!(" --configuration {id}")).unwrap_or_default();
        format!("longshore secret encrypt --component {}{configuration}", self.component)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    component: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<String>,
    value: Value,
}

/// Whether a text is a sealed value, or was one before somebody cut it.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(FAMILY)
}

/// Seals a value to every reader of `keys`.
pub(crate) fn seal(value: &Value, binding: Binding<'_>, keys: &Keys) -> Result<String, SealError> {
    let payload = Payload {
        component: binding.component.to_string(),
        configuration: binding.configuration.map(ToString::to_string),
        value: value.clone(),
    };
    encrypt(payload, keys)
}

/// The same value with the same binding, sealed to those who are to read it now; `None` where it is already.
pub(crate) fn reseal(text: &str, keys: &Keys) -> Result<Option<String>, ResealError> {
    let (hints, message) = split(text)?;
    if hints == hints_of(&keys.readers()) {
        return Ok(None);
    }
    if !keys.can_open() {
        return Err(OpenError::NoKeyAtAll.into());
    }
    let payload = decrypt(message, hints, keys)?;
    Ok(Some(encrypt(payload, keys)?))
}

fn encrypt(payload: Payload, keys: &Keys) -> Result<String, SealError> {
    let readers = keys.readers();
    if readers.is_empty() {
        return Err(SealError::NoKey);
    }
    let plain = Zeroizing::new(serde_json::to_vec(&payload).map_err(|error| failed(error.into()))?);
    wipe(payload.value);
    let recipients = readers.iter().map(|reader| reader as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(|error| failed(error.into()))?;
    let mut message = Vec::new();
    let written = encryptor.wrap_output(&mut message).and_then(|mut output| {
        output.write_all(&plain)?;
        output.finish().map(drop)
    });
    written.map_err(|error| failed(error.into()))?;
    Ok(format!("{PREFIX}{}:{}", hints_of(&readers), STANDARD.encode(message)))
}

fn hints_of(readers: &[Recipient]) -> String {
    readers.iter().map(hint).collect::<Vec<_>>().join("+")
}

/// Hints and base64.
fn split(text: &str) -> Result<(&str, &str), OpenError> {
    let rest = text.strip_prefix(PREFIX).ok_or(OpenError::UnknownVersion)?;
    rest.split_once(':').ok_or(OpenError::Damaged)
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> SealError {
    SealError::Failed { source }
}

/// Opens a sealed value that stands in a configuration (or spec) of `binding`.
pub(crate) fn open(text: &str, binding: Binding<'_>, keys: &Keys) -> Result<Value, OpenError> {
    let (hints, message) = split(text)?;
    if !keys.can_open() {
        return Err(OpenError::NoKeyAtAll);
    }
    let payload = decrypt(message, hints, keys)?;
    let own = binding.configuration.map(ConfigurationId::as_str);
    let refusal = if payload.component != binding.component.as_str() {
        OpenError::OtherComponent
    } else if payload.configuration.as_deref().is_some_and(|bound| own != Some(bound)) {
        OpenError::OtherConfiguration
    } else {
        return Ok(payload.value);
    };
    wipe(payload.value);
    Err(refusal)
}

fn decrypt(message: &str, hints: &str, keys: &Keys) -> Result<Payload, OpenError> {
    let message = STANDARD.decode(message).map_err(|_decoding| OpenError::Damaged)?;
    // As large as it can get, so that no copy is left behind by a buffer that grows.
    let mut plain = Zeroizing::new(Vec::with_capacity(message.len()));
    let decryptor = age::Decryptor::new_buffered(message.as_slice()).map_err(|_header| OpenError::Damaged)?;
    let opened = decryptor.decrypt(keys.identities());
    let mut opened = opened.map_err(|error| unopened(&error, hints, keys))?;
    opened.read_to_end(&mut plain).map_err(|_cut| OpenError::Damaged)?;
    serde_json::from_slice(&plain).map_err(|_parsing| OpenError::Damaged)
}

/// A message for one of our keys that none of them opens is damaged.
fn unopened(error: &age::DecryptError, hints: &str, keys: &Keys) -> OpenError {
    let made_for: Vec<String> = hints.split('+').map(str::to_owned).collect();
    let have = keys.hints();
    let is_foreign = are_hints(&made_for) && !made_for.iter().any(|hint| have.contains(hint));
    if is_foreign && matches!(error, age::DecryptError::NoMatchingKeys) {
        OpenError::NoKey { made_for, have }
    } else {
        OpenError::Damaged
    }
}

/// What stands in an unauthenticated part is shown only where it is no more than the beginning of a key.
fn are_hints(hints: &[String]) -> bool {
    hints.iter().all(|hint| {
        hint.len() == HINT_LENGTH && hint.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

/// Overwrites a text that is not needed any more.
fn wipe(value: Value) {
    if let Value::String(text) = value {
        drop(Zeroizing::new(text));
    }
}
