//! The beginning of a body for a person's eyes: never the value of a `#` key.

use serde_json::Value;

/// The first characters of a request. Values under keys that begin with `#` are replaced; a text that is not JSON is
/// shown up to its first `#`, as nobody knows where the value behind it ends.
pub(crate) fn preview(body: &[u8], characters_max: usize) -> String {
    let shown = match serde_json::from_slice::<Value>(body) {
        Ok(mut document) => {
            hide(&mut document);
            document.to_string()
        }
        // What is wrong with it stands in the reason of the dead letter.
        Err(_not_json) => before_secrets(&String::from_utf8_lossy(body)),
    };
    if shown.chars().count() <= characters_max {
        return shown;
    }
    let beginning: String = shown.chars().take(characters_max.saturating_sub(1)).collect();
    format!("{beginning}…")
}

fn hide(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if key.starts_with('#') {
                    *value = "(hidden)".into();
                } else {
                    hide(value);
                }
            }
        }
    }
}

fn before_secrets(text: &str) -> String {
    match text.split_once('#') {
        Some((before, _hidden)) => format!("{before}…"),
        None => text.to_owned(),
    }
}
