//! The values that must never be shown: whatever stands under a key that begins with `#`.

use serde_json::Value;

/// A shorter text inside a secret document (`"token_type": "bearer"`) is no secret, and masking it would hide
/// harmless words everywhere.
const INNER_LENGTH_MIN: usize = 8;

/// Every non-empty text and number under a `#` key, once each. A secret that is itself a JSON document (as
/// `#data` of OAuth is) gives up the longer texts inside it too: a component uses and prints those.
pub(super) fn collect_secrets(document: &Value) -> Vec<String> {
    let mut secrets = Vec::new();
    walk(document, false, &mut |secret| {
        let inner =
            serde_json::from_str::<Value>(secret).ok().filter(|inner| inner.is_object() || inner.is_array());
        if let Some(inner) = inner {
            walk(&inner, true, &mut |text| {
                if text.len() >= INNER_LENGTH_MIN {
                    secrets.push(text.to_owned());
                }
            });
        }
        secrets.push(secret.to_owned());
    });
    let mut seen = std::collections::HashSet::new();
    secrets.retain(|secret| seen.insert(secret.clone()));
    secrets
}

fn walk(value: &Value, is_secret: bool, found: &mut dyn FnMut(&str)) {
    match value {
        Value::Number(number) if is_secret => found(&number.to_string()),
        Value::String(text) if is_secret && !text.is_empty() => found(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(values) => values.iter().for_each(|value| walk(value, is_secret, found)),
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| walk(value, is_secret || key.starts_with('#'), found));
        }
    }
}
