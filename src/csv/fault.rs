//! Finds the first fault in a stretch of records, byte by byte, once the scanner has said that there is one.

use super::CsvError;
use super::error::Place;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    QuoteInField,
    TextAfterQuote,
    QuoteOpen,
    NotUtf8 { found: u8 },
    Ragged { found: usize },
    EmptyLine,
}

/// The first fault: where it is, counted from the start of the stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) position: usize,
    /// Records before it.
    pub(super) record: u64,
    /// Fields before it in its record.
    pub(super) field: usize,
}

impl Fault {
    /// The error to tell, once the place in the file is known.
    pub(super) fn explain(self, place: Place, columns: &[String]) -> CsvError {
        let expected = columns.len();
        let column =
            columns.get(self.field).map_or_else(|| (self.field + 1).to_string(), |name| format!("{name:?}"));
        match self.kind {
            FaultKind::QuoteInField => CsvError::QuoteInField { place, column },
            FaultKind::TextAfterQuote => CsvError::TextAfterQuote { place, column },
            FaultKind::QuoteOpen => CsvError::QuoteOpen { place, column },
            FaultKind::NotUtf8 { found } => CsvError::NotUtf8 { place, found, column },
            FaultKind::Ragged { found } => CsvError::Ragged { place, expected, found },
            FaultKind::EmptyLine => CsvError::EmptyLine { place, expected },
        }
    }
}

/// What every record must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) delimiter: u8,
    pub(super) enclosure: u8,
    /// Fields of a record; `None` while the header is not known.
    pub(super) fields: Option<usize>,
}

/// How a field ended, and the position after it.
enum FieldEnd {
    Delimiter(usize),
    Record(usize),
    /// The text ended with it.
    Text,
}

/// The first fault in `text`, which starts with a record. `is_last` says that no text follows.
pub(super) fn first(text: &[u8], rules: Rules, is_last: bool) -> Option<Fault> {
    let mut start = 0;
    let mut record = 0;
    while start < text.len() {
        let (found, next) = match fields(text, start, rules, is_last) {
            Ok(Some(ended)) => ended,
            Ok(None) => return None,
            Err((kind, position, field)) => {
                return Some(Fault { kind, position, record, field });
            }
        };
        let line = text.get(start..next).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(line) {
            let position = start + error.valid_up_to();
            let found = text.get(position).copied().unwrap_or_default();
            let field = field_at(text, start, position, rules);
            return Some(Fault { kind: FaultKind::NotUtf8 { found }, position, record, field });
        }
        if rules.fields.is_some_and(|expected| expected != found) {
            let is_empty = line.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
            let kind = if is_empty { FaultKind::EmptyLine } else { FaultKind::Ragged { found } };
            return Some(Fault { kind, position: start, record, field: 0 });
        }
        start = next;
        record += 1;
    }
    None
}

/// Walks one record: how many fields it has and where the next one starts, or `None` when it is not complete.
fn fields(
    text: &[u8],
    start: usize,
    rules: Rules,
    is_last: bool,
) -> Result<Option<(usize, usize)>, (FaultKind, usize, usize)> {
    let mut at = start;
    let mut count = 0;
    loop {
        let end = field(text, at, rules, is_last).map_err(|(kind, position)| (kind, position, count))?;
        count += 1;
        match end {
            FieldEnd::Delimiter(next) => at = next,
            FieldEnd::Record(next) => return Ok(Some((count, next))),
            FieldEnd::Text if is_last => return Ok(Some((count, text.len()))),
            FieldEnd::Text => return Ok(None),
        }
    }
}

fn field(text: &[u8], start: usize, rules: Rules, is_last: bool) -> Result<FieldEnd, (FaultKind, usize)> {
    let Rules { delimiter, enclosure, .. } = rules;
    let mut at = start;
    if text.get(at) == Some(&enclosure) {
        at = match closing(text, at + 1, enclosure) {
            Some(closing) => closing + 1,
            None if is_last => return Err((FaultKind::QuoteOpen, start)),
            None => return Ok(FieldEnd::Text),
        };
        return match (text.get(at), text.get(at + 1)) {
            (Some(b'\n'), _) => Ok(FieldEnd::Record(at + 1)),
            (Some(b'\r'), Some(b'\n')) => Ok(FieldEnd::Record(at + 2)),
            (Some(byte), _) if *byte == delimiter => Ok(FieldEnd::Delimiter(at + 1)),
            (None, _) | (Some(b'\r'), None) => Ok(FieldEnd::Text),
            (Some(_), _) => Err((FaultKind::TextAfterQuote, at)),
        };
    }
    loop {
        match text.get(at) {
            None => return Ok(FieldEnd::Text),
            Some(b'\n') => return Ok(FieldEnd::Record(at + 1)),
            Some(byte) if *byte == delimiter => return Ok(FieldEnd::Delimiter(at + 1)),
            Some(byte) if *byte == enclosure => return Err((FaultKind::QuoteInField, at)),
            Some(_) => at += 1,
        }
    }
}

/// The position of the quote that closes the field whose text starts at `at`.
fn closing(text: &[u8], mut at: usize, enclosure: u8) -> Option<usize> {
    loop {
        at += memchr::memchr(enclosure, text.get(at..)?)?;
        if text.get(at + 1) != Some(&enclosure) {
            return Some(at);
        }
        at += 2;
    }
}

/// The number of the field in which `position` lies, in a record whose quoting is sound.
fn field_at(text: &[u8], start: usize, position: usize, rules: Rules) -> usize {
    let mut number = 0;
    let mut at = start;
    while let Ok(FieldEnd::Delimiter(next)) = field(text, at, rules, true) {
        if next > position {
            break;
        }
        number += 1;
        at = next;
    }
    number
}
