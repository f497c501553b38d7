//! One field: from raw bytes to its value, and from one dialect to another.

use std::borrow::Cow;

use super::{Dialect, WriteDialect};

/// The bytes between the quotes of a raw field, or the field itself when it is not quoted. Doubled quotes stay.
#[inline]
pub(super) fn content(raw: &[u8], enclosure: u8) -> &[u8] {
    match raw {
        [first, inner @ .., last] if *first == enclosure && *last == enclosure => inner,
        _ => raw,
    }
}

/// What a raw field means: without its quotes, doubled ones halved.
#[inline]
pub(super) fn value(raw: &[u8], enclosure: u8) -> Cow<'_, [u8]> {
    let inner = content(raw, enclosure);
    if inner.len() == raw.len() || memchr::memchr(enclosure, inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut halved = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(enclosure, rest) {
        let (head, tail) = rest.split_at(at + 1);
        halved.extend_from_slice(head);
        rest = tail.get(1..).unwrap_or_default();
    }
    halved.extend_from_slice(rest);
    Cow::Owned(halved)
}

/// Appends a raw field of the dialect `from` in the dialect `to`. The raw bytes stay as they are when they mean the
/// same there; a quoted field stays quoted.
pub(super) fn transcode(raw: &[u8], from: Dialect, to: Dialect, out: &mut Vec<u8>) {
    let is_quoted = raw.first() == Some(&from.enclosure);
    if is_quoted && from.enclosure == to.enclosure {
        out.extend_from_slice(raw);
    } else if is_quoted {
        quote(&value(raw, from.enclosure), to.enclosure, out);
    } else {
        encode(raw, to, out);
    }
}

/// Appends a value, quoted when it must be.
pub(super) fn encode(value: &[u8], to: Dialect, out: &mut Vec<u8>) {
    let special = memchr::memchr3(to.delimiter, to.enclosure, b'\n', value).is_some();
    if special || memchr::memchr(b'\r', value).is_some() {
        quote(value, to.enclosure, out);
    } else {
        out.extend_from_slice(value);
    }
}

fn quote(value: &[u8], enclosure: u8, out: &mut Vec<u8>) {
    out.push(enclosure);
    let mut rest = value;
    while let Some(at) = memchr::memchr(enclosure, rest) {
        let (head, tail) = rest.split_at(at + 1);
        out.extend_from_slice(head);
        out.push(enclosure);
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(enclosure);
}

/// Appends a header record.
pub(super) fn encode_header(columns: &[String], write: WriteDialect, out: &mut Vec<u8>) {
    for (index, name) in columns.iter().enumerate() {
        if index > 0 {
            out.push(write.dialect.delimiter);
        }
        encode(name.as_bytes(), write.dialect, out);
    }
    end_record(write, out);
}

/// Appends a line end.
pub(super) fn end_record(write: WriteDialect, out: &mut Vec<u8>) {
    out.extend_from_slice(if write.crlf { b"\r\n" } else { b"\n" });
}
