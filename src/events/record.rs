//! A structured record: a JSON object with a message or a level, from a line of a stream or from GELF.

use serde_json::{Map, Value};

use super::redact::{MASK, Redactor};
use super::severity::level_of;
use super::verbosity::Verbosity;
use super::{Level, VerbosityMap};

const MESSAGE_KEYS: [&str; 3] = ["message", "msg", "short_message"];
/// `levelname` is what Python's formatters for JSON write.
const LEVEL_KEYS: [&str; 4] = ["level", "severity", "lvl", "levelname"];
/// Of the further fields that stay with an event. The complete log has the rest.
const FIELDS_BYTES_MAX: usize = 16 << 10;
/// What users see of a record that is not for them.
const NEUTRAL: &str = "Application error: the component reported a problem of its own; its developer finds it in the complete log";

/// One record, masked: also what appeared only when the JSON was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Nothing where the record does not say.
    pub(super) level: Option<Level>,
    message: String,
    message_key: Option<&'static str>,
    level_key: Option<&'static str>,
    whole: Map<String, Value>,
}

/// What is shown of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) message: String,
    /// A JSON object.
    pub(super) fields: Option<String>,
}

impl Record {
    /// Reads a line that was masked as text. `None`: a line like any other.
    pub(super) fn of_line(line: &str, redactor: &Redactor) -> Option<Self> {
        let line = line.trim();
        if !line.starts_with('{') || !line.ends_with('}') {
            return None;
        }
        let parsed = serde_json::from_str(line);
        let object = match parsed {
            Err(_) if line.contains(MASK) => serde_json::from_str(&with_quoted_masks(line)).ok()?,
            parsed => parsed.ok()?,
        };
        Self::of_object(object, redactor)
    }

    /// Reads an object that has a message, a level, or both.
    pub(super) fn of_object(object: Map<String, Value>, redactor: &Redactor) -> Option<Self> {
        let whole = masked_object(object, redactor);
        let message_key =
            MESSAGE_KEYS.into_iter().find(|key| whole.get(*key).is_some_and(|found| !found.is_null()));
        let level_key = LEVEL_KEYS.into_iter().find(|key| whole.get(*key).and_then(level_of).is_some());
        let level = level_key.and_then(|key| whole.get(key)).and_then(level_of);
        let message = match (message_key.and_then(|key| whole.get(key)), level_key) {
            (Some(Value::String(text)), _) => text.clone(),
            (Some(other), _) => other.to_string(),
            (None, Some(key)) => {
                let mut rest = whole.clone();
                rest.remove(key);
                Value::Object(rest).to_string()
            }
            (None, None) => return None,
        };
        Some(Self { level, message, message_key, level_key, whole })
    }

    pub(super) fn has_message(&self) -> bool {
        self.message_key.is_some()
    }

    /// The record on one line, as the complete log keeps it.
    pub(super) fn to_line(&self) -> String {
        Value::Object(self.whole.clone()).to_string()
    }

    /// What this level shows; `None` where it shows nothing.
    pub(super) fn shown(self, level: Level, verbosity: &VerbosityMap) -> Option<Shown> {
        match verbosity.of(level) {
            Verbosity::Hidden => None,
            Verbosity::Normal => {
                let is_own = |key: &str| Some(key) == self.message_key || Some(key) == self.level_key;
                // A message that is the record's own text has shown the fields already.
                let has_more = self.message_key.is_some();
                let extra: Map<_, _> =
                    self.whole.into_iter().filter(|(key, _value)| has_more && !is_own(key)).collect();
                Some(Shown { message: self.message, fields: bounded(extra) })
            }
            Verbosity::Verbose => Some(Shown { message: self.message, fields: bounded(self.whole) }),
            Verbosity::Camouflage => Some(Shown { message: NEUTRAL.to_owned(), fields: None }),
        }
    }
}

/// As many fields as there is room for, in the record's order; how many there was none for is said.
fn bounded(fields: Map<String, Value>) -> Option<String> {
    if fields.is_empty() {
        return None;
    }
    let mut kept = Map::new();
    let (mut bytes, mut left_out) = (0, 0_u64);
    for (key, value) in fields {
        let size = key.len() + value.to_string().len() + 4;
        if bytes + size > FIELDS_BYTES_MAX {
            left_out += 1;
        } else {
            bytes += size;
            kept.insert(key, value);
        }
    }
    if left_out > 0 {
        kept.insert("…".to_owned(), format!("{left_out} more, the complete log keeps them").into());
    }
    Some(Value::Object(kept).to_string())
}

fn masked_object(object: Map<String, Value>, redactor: &Redactor) -> Map<String, Value> {
    object.into_iter().map(|(key, value)| (redactor.mask(&key), masked(value, redactor))).collect()
}

fn masked(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.mask(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| masked(item, redactor)).collect()),
        Value::Object(object) => Value::Object(masked_object(object, redactor)),
        Value::Number(number) => {
            let text = number.to_string();
            let masked = redactor.mask(&text);
            if masked == text { Value::Number(number) } else { Value::String(masked) }
        }
        Value::Null | Value::Bool(_) => value,
    }
}

/// A secret that was a bare number has left a mask where JSON wants a value.
fn with_quoted_masks(line: &str) -> String {
    let mut quoted = String::with_capacity(line.len() + 8);
    let (mut is_inside, mut rest) = (false, line);
    while let Some(c) = rest.chars().next() {
        if !is_inside && rest.starts_with(MASK) {
            quoted.push('"');
            quoted.push_str(MASK);
            quoted.push('"');
            rest = rest.strip_prefix(MASK).unwrap_or_default();
            continue;
        }
        is_inside ^= c == '"';
        quoted.push(c);
        let mut after = rest.chars();
        after.next();
        if is_inside && c == '\\' {
            quoted.extend(after.next());
        }
        rest = after.as_str();
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, secrets: &[&str]) -> Option<(Option<Level>, String, Option<String>)> {
        let record = Record::of_line(line, &Redactor::new(secrets.iter().copied()))?;
        let level = record.level;
        let mut open = VerbosityMap::default();
        for number in ["100", "500", "550", "600"] {
            open.set(number, Verbosity::Normal);
        }
        let shown = record.shown(level.unwrap_or(Level::Info), &open)?;
        Some((level, shown.message, shown.fields))
    }

    #[test]
    fn a_record_has_level_message_and_what_else_it_says() {
        let line = r#" {"lvl":"warn","msg":"slow","rows":3,"at":{"table":"a"}} "#;
        let fields = Some(r#"{"rows":3,"at":{"table":"a"}}"#.to_owned());
        assert_eq!(shown(line, &[]), Some((Some(Level::Warning), "slow".into(), fields)));
        assert_eq!(shown(r#"{"message":"only"}"#, &[]), Some((None, "only".into(), None)));
        assert_eq!(
            shown(r#"{"severity":"ERROR","n":1}"#, &[]),
            Some((Some(Level::Error), r#"{"n":1}"#.into(), None))
        );
    }

    #[test]
    fn what_is_no_record_stays_a_line() {
        for line in
            ["{}", r#"{"a":1}"#, r#"["message"]"#, r#"{"message":"half"#, "{message}", r#"{"message":null}"#]
        {
            assert_eq!(shown(line, &[]), None, "{line}");
        }
    }

    #[test]
    fn a_secret_that_only_decoding_shows_is_masked_in_keys_and_values() {
        let line = r#"{"message":"it is \u0068unter22","\u0068unter22":["\u0068unter22"]}"#;
        let fields = Some(r#"{"[hidden]":["[hidden]"]}"#.to_owned());
        assert_eq!(shown(line, &["hunter22"]), Some((None, "it is [hidden]".into(), fields)));
    }

    #[test]
    fn a_number_that_was_masked_in_the_stream_leaves_a_record() {
        let line = r#"{"message":"pin \" [hidden]","pin":[hidden]}"#;
        let fields = Some(r#"{"pin":"[hidden]"}"#.to_owned());
        assert_eq!(shown(line, &[]), Some((None, "pin \" [hidden]".into(), fields)));
    }

    #[test]
    fn fields_are_bounded_and_the_rest_is_counted() {
        let long = "x".repeat(FIELDS_BYTES_MAX);
        let line = format!(r#"{{"message":"m","a":1,"b":"{long}","c":"{long}","d":4}}"#);
        let fields = Some(r#"{"a":1,"d":4,"…":"2 more, the complete log keeps them"}"#.to_owned());
        assert_eq!(shown(&line, &[]), Some((None, "m".into(), fields)));
    }

    #[test]
    fn verbosity_decides_what_is_shown() {
        let record = || Record::of_line(r#"{"message":"m","level":1,"n":2}"#, &Redactor::default()).unwrap();
        let mut map = VerbosityMap::default();
        assert_eq!(record().shown(Level::Alert, &map), Some(Shown { message: NEUTRAL.into(), fields: None }));
        assert!(map.set("550", Verbosity::Verbose));
        let whole = Some(r#"{"message":"m","level":1,"n":2}"#.to_owned());
        assert_eq!(record().shown(Level::Alert, &map), Some(Shown { message: "m".into(), fields: whole }));
        assert!(map.set("550", Verbosity::Hidden));
        assert_eq!(record().shown(Level::Alert, &map), None);
        assert!(!map.set("551", Verbosity::Hidden));
    }
}
