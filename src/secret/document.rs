//! Values under `#` keys of a JSON document: finding, sealing and opening them where they stand.

use std::convert::Infallible;

use serde_json::Value;
use zeroize::Zeroize;

use super::{Binding, Keys, OpenError, SealError, envelope, is_sealed};

/// Whether what stands under a key is secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    key.starts_with('#')
}

/// Whether a value under a `#` key holds something that is not sealed. Flags, nothing and empty texts betray nothing.
pub(crate) fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && !is_sealed(text) && !is_foreign(text),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Keboola's ciphers hide what they hold, though nobody here can read them; whoever reads a configuration says so.
fn is_foreign(text: &str) -> bool {
    text.starts_with("KBC::") && text.contains("Secure")
}

/// Visits every single value under a `#` key; `visit` may put another in its place. Paths are as people write them:
/// `parameters.#token`, `rows[0].configuration.parameters.#list[1]`.
pub(crate) fn replace_values<E>(
    document: &mut Value,
    visit: &mut dyn FnMut(&str, &mut Value) -> Result<(), E>,
) -> Result<(), E> {
    walk(document, "", false, visit)
}

fn walk<E>(
    value: &mut Value,
    path: &str,
    is_secret: bool,
    visit: &mut dyn FnMut(&str, &mut Value) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        Value::Object(map) => map.iter_mut().try_for_each(|(key, value)| {
            walk(value, &below(path, key), is_secret || is_secret_key(key), visit)
        }),
        Value::Array(values) => {
            let mut numbered = values.iter_mut().enumerate();
            numbered.try_for_each(|(index, value)| walk(value, &format!("{path}[{index}]"), is_secret, visit))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) if is_secret => visit(path, value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Seals every plain value under a `#` key; returns how many there were.
pub(crate) fn seal_values(
    document: &mut Value,
    binding: Binding<'_>,
    keys: &Keys,
) -> Result<usize, SealError> {
    let mut sealed = 0;
    replace_values::<SealError>(document, &mut |_path, value| {
        if is_plain(value) {
            *value = Value::String(envelope::seal(value, binding, keys)?);
            sealed += 1;
        }
        Ok(())
    })?;
    Ok(sealed)
}

/// How many values there are under `#` keys, sealed or not, and how many bytes of text.
pub(crate) fn weigh_values(document: &Value) -> (usize, usize) {
    fn weigh(value: &Value, is_secret: bool) -> (usize, usize) {
        let sum = |(count, bytes), (more, more_bytes)| (count + more, bytes + more_bytes);
        match value {
            Value::Object(map) => {
                map.iter().map(|(key, value)| weigh(value, is_secret || is_secret_key(key))).fold((0, 0), sum)
            }
            Value::Array(values) => values.iter().map(|value| weigh(value, is_secret)).fold((0, 0), sum),
            Value::String(text) if is_secret => (1, text.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) if is_secret => (1, 0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (0, 0),
        }
    }
    weigh(document, false)
}

/// Paths of the values under `#` keys that are sealed.
pub(crate) fn sealed_values(document: &mut Value) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(()) = replace_values::<Infallible>(document, &mut |path, value| {
        if value.as_str().is_some_and(is_sealed) {
            found.push(path.to_owned());
        }
        Ok(())
    });
    found
}

/// Opens every sealed value under a `#` key; returns the paths of those that cannot be, which stay as they are.
pub(crate) fn open_values(
    document: &mut Value,
    binding: Binding<'_>,
    keys: &Keys,
) -> Vec<(String, OpenError)> {
    let mut refused = Vec::new();
    let visited = replace_values(document, &mut |path, value| {
        if let Value::String(text) = &*value
            && is_sealed(text)
        {
            match envelope::open(text, binding, keys) {
                Ok(opened) => *value = opened,
                Err(error) => refused.push((path.to_owned(), error)),
            }
        }
        Ok::<(), Infallible>(())
    });
    match visited {
        Ok(()) => refused,
        Err(never) => match never {},
    }
}

/// Overwrites every text under a `#` key in memory.
pub(crate) fn wipe_values(document: &mut Value) {
    let visited = replace_values(document, &mut |_path, value| {
        if let Value::String(text) = value {
            text.zeroize();
        }
        Ok::<(), Infallible>(())
    });
    match visited {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// The paths of plain values under `#` keys.
pub(crate) fn plain_values(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    search(document, "", false, &mut found);
    found
}

fn search(value: &Value, path: &str, is_secret: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                search(value, &below(path, key), is_secret || is_secret_key(key), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                search(value, &format!("{path}[{index}]"), is_secret, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)
            if is_secret && is_plain(value) =>
        {
            found.push(path.to_owned());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
