//! GELF messages: payloads as they arrive (whole, decompressed) to records.
//!
//! The format is Graylog's GELF 1.1 (<https://go2docs.graylog.org/current/getting_in_log_data/gelf.html>). `host` decides nothing:
//! whoever may send at all was decided where the payload came in.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::record::Record;
use super::voice::Message;
use super::{Level, Redactor, VerbosityMap};

/// How much of a payload that is no record an event quotes.
const QUOTED_CHARS_MAX: usize = 1_000;

/// One message of a payload, masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    /// As the complete log keeps it.
    pub(super) line: String,
    /// Nothing: it is no GELF.
    record: Option<Record>,
}

/// The messages of a payload: one, or one a line as some clients send them.
pub(super) fn read(payload: &[u8], redactor: &Redactor) -> Vec<Heard> {
    let payload = payload.trim_ascii();
    if payload.is_empty() {
        return Vec::new();
    }
    if let Some(heard) = read_one(payload, redactor) {
        return vec![heard];
    }
    let mut lines =
        payload.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    match lines.next().and_then(|first| read_one(first, redactor)) {
        Some(first) => std::iter::once(first)
            .chain(lines.map(|line| read_one(line, redactor).unwrap_or_else(|| invalid(line, redactor))))
            .collect(),
        None => vec![invalid(payload, redactor)],
    }
}

fn read_one(payload: &[u8], redactor: &Redactor) -> Option<Heard> {
    let mut object: Map<String, Value> = serde_json::from_slice(payload).ok()?;
    for (key, value) in &mut object {
        decode(key, value);
    }
    let record = Record::of_object(object, redactor).filter(Record::has_message)?;
    Some(Heard { line: record.to_line(), record: Some(record) })
}

/// Clients write objects as JSON in a text, since GELF knows only texts and numbers as values of own fields.
fn decode(key: &str, value: &mut Value) {
    let Value::String(text) = &*value else { return };
    if !key.starts_with('_') || !text.starts_with(['{', '[']) {
        return;
    }
    if let Ok(decoded) = serde_json::from_str(text) {
        *value = decoded;
    }
}

fn invalid(payload: &[u8], redactor: &Redactor) -> Heard {
    Heard { line: redactor.mask(&String::from_utf8_lossy(payload)), record: None }
}

impl Heard {
    /// The message to be shown, where its level is shown.
    pub(super) fn into_message(
        self,
        time: Timestamp,
        verbosity: &VerbosityMap,
        bytes_max: usize,
    ) -> Option<Message> {
        let Some(record) = self.record else {
            let mut quoted: String = self.line.chars().take(QUOTED_CHARS_MAX).collect();
            if quoted.len() < self.line.len() {
                quoted.push('…');
            }
            let text = format!("invalid message, not GELF: {quoted}");
            return Some(Message { time, level: Level::Error, text, fields: None, is_record: true });
        };
        // The format's own default is alert, which says less than that somebody forgot it.
        let level = record.level.unwrap_or(Level::Error);
        let shown = record.shown(level, verbosity).filter(|shown| !shown.message.trim().is_empty())?;
        let text = cut(shown.message, bytes_max);
        Some(Message { time, level, text, fields: shown.fields, is_record: true })
    }
}

fn cut(text: String, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept} [cut: the message has {} bytes, the complete log keeps it]", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level, message and fields.
    type Told = (Level, String, Option<String>);

    fn heard(payload: &[u8]) -> Vec<(String, Option<Told>)> {
        let redactor = Redactor::new(["hunter22"]);
        let message = |heard: Heard| {
            let line = heard.line.clone();
            let message = heard.into_message(Timestamp::UNIX_EPOCH, &VerbosityMap::default(), 100);
            (line, message.map(|message| (message.level, message.text, message.fields)))
        };
        read(payload, &redactor).into_iter().map(message).collect()
    }

    #[test]
    fn a_record_is_masked_and_its_own_fields_are_kept() {
        let payload = br#"{"version":"1.1","host":"h","short_message":"pw \u0068unter22","level":4,"_more":"{\"a\":[1,\"hunter22\"]}"}"#;
        let line = r#"{"version":"1.1","host":"h","short_message":"pw [hidden]","level":4,"_more":{"a":[1,"[hidden]"]}}"#;
        let fields = r#"{"version":"1.1","host":"h","_more":{"a":[1,"[hidden]"]}}"#.to_owned();
        let message = (Level::Warning, "pw [hidden]".to_owned(), Some(fields));
        assert_eq!(heard(payload), [(line.to_owned(), Some(message))]);
    }

    #[test]
    fn an_emergency_is_not_lost_and_a_debug_record_is_only_in_the_log() {
        let found = heard(b"{\"short_message\":\"0\",\"level\":0}\n{\"short_message\":\"x\",\"level\":7}\n");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1.as_ref().unwrap().0, Level::Emergency);
        assert_eq!(found[1], (r#"{"short_message":"x","level":7}"#.to_owned(), None));
    }

    #[test]
    fn what_is_no_gelf_is_told_as_an_error_and_bounded() {
        let found = heard(&[b"hunter22 ".as_slice(), &[0xff; 3_000]].concat());
        let (level, text, _fields) = found[0].1.clone().unwrap();
        assert_eq!((found.len(), level), (1, Level::Error));
        assert!(text.starts_with("invalid message, not GELF: [hidden] \u{fffd}") && text.ends_with('…'));
        assert!(text.chars().count() < 1_100);
        assert_eq!(heard(b"{\"host\":\"no message\"}")[0].1.as_ref().unwrap().0, Level::Error);
        assert_eq!(heard(b" \n"), []);
    }

    #[test]
    fn a_long_message_is_cut_with_a_mark() {
        let payload = format!("{{\"short_message\":\"{}\",\"level\":6}}", "é".repeat(80));
        let (_level, text, _fields) = heard(payload.as_bytes())[0].1.clone().unwrap();
        assert_eq!(
            text,
            format!("{} [cut: the message has 160 bytes, the complete log keeps it]", "é".repeat(50))
        );
    }
}
