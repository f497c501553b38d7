//! Seals the plain secrets of a configuration's text where they stand, so that comments, order and layout stay.
//!
//! The place of a value is known, its end is not: YAML writes a text in five ways. Each plausible end is tried, and what
//! comes out is read again: only a text that reads as the old one with sealed values is taken.

use crate::component::Complaints;
use crate::component::document::{self, Node, Place, Value};
use crate::secret::{self, Binding, Keys, ResealError, SealError};

/// A configuration's text with its plain secrets sealed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) text: String,
    /// How many values were sealed.
    pub(crate) count: usize,
    /// Where the value stands for which the layout could not be kept: the text is JSON then.
    pub(crate) stuck_at: Option<Place>,
}

/// Why a text was not sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    #[error(transparent)]
    Unreadable(#[from] Complaints),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Seals every plain value under a `#` key of a text; `file` tells its language.
pub(crate) fn seal_text(
    text: &str,
    file: &str,
    binding: Binding<'_>,
    keys: &Keys,
) -> Result<Sealed, RewriteError> {
    let mut text = text.to_owned();
    let mut count = 0;
    let mut tree = document::parse(&text, file)?;
    while let Some((place, value)) = next_plain(&tree, false) {
        let sealed = secret::seal(&value, binding, keys)?;
        count += 1;
        let mut wanted = tree.to_json();
        put_first_plain(&mut wanted, false, &sealed);
        let Some((rewritten, read)) = rewritten(&text, file, place, &sealed, &wanted) else {
            count += secret::seal_values(&mut wanted, binding, keys)?;
            return Ok(Sealed { text: format!("{wanted:#}\n"), count, stuck_at: Some(place) });
        };
        (text, tree) = (rewritten, read);
    }
    Ok(Sealed { text, count, stuck_at: None })
}

/// Seals what is sealed in a text anew, to those who are to read it now; returns the text and how many values changed.
pub(crate) fn reseal_text(text: &str, file: &str, keys: &Keys) -> Result<(String, usize), ResealTextError> {
    let mut tree = document::parse(text, file)?.to_json();
    let (mut text, mut count) = (text.to_owned(), 0);
    secret::replace_values(&mut tree, &mut |path, value| {
        let failed = |source| ResealTextError::Refused { path: path.to_owned(), source };
        let Some(old) = value.as_str().filter(|text| secret::is_sealed(text)) else { return Ok(()) };
        let Some(new) = secret::reseal(old, keys).map_err(failed)? else { return Ok(()) };
        // PHP escapes slashes.
        let written = [old.to_owned(), old.replace('/', "\\/")];
        let Some(written) = written.iter().find(|written| text.contains(written.as_str())) else {
            return Err(ResealTextError::Split { path: path.to_owned() });
        };
        text = text.replace(written.as_str(), &new);
        count += 1;
        Ok(())
    })?;
    Ok((text, count))
}

/// Why a text was not sealed anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResealTextError {
    #[error(transparent)]
    Unreadable(#[from] Complaints),
    #[error("{path}: {source}")]
    Refused { path: String, source: ResealError },
    #[error("{path} is written over several lines: write it as one text in quotes")]
    Split { path: String },
}

fn next_plain(node: &Node, is_secret: bool) -> Option<(Place, serde_json::Value)> {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .find_map(|entry| next_plain(&entry.node, is_secret || secret::is_secret_key(&entry.key))),
        Value::List(nodes) => nodes.iter().find_map(|node| next_plain(node, is_secret)),
        Value::Text(_) | Value::Number(_) if is_secret => {
            Some((node.place, node.to_json())).filter(|(_, value)| secret::is_plain(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
    }
}

/// The same value in the document without places.
fn put_first_plain(value: &mut serde_json::Value, is_secret: bool, sealed: &str) -> bool {
    match value {
        serde_json::Value::Object(map) => map
            .iter_mut()
            .any(|(key, value)| put_first_plain(value, is_secret || secret::is_secret_key(key), sealed)),
        serde_json::Value::Array(values) => {
            values.iter_mut().any(|value| put_first_plain(value, is_secret, sealed))
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {
            let is_it = is_secret && secret::is_plain(value);
            if is_it {
                *value = sealed.into();
            }
            is_it
        }
    }
}

/// The text with the value at `place` replaced, and its tree, where it reads as `wanted`.
fn rewritten(
    text: &str,
    file: &str,
    place: Place,
    sealed: &str,
    wanted: &serde_json::Value,
) -> Option<(String, Node)> {
    let start = offset(text, place)?;
    extents(text, start).into_iter().find_map(|(start, end)| {
        let (before, after) = (text.get(..start)?, text.get(end..)?);
        let rewritten = format!("{before}\"{sealed}\"{after}");
        let tree = document::parse(&rewritten, file).ok()?;
        (tree.to_json() == *wanted).then_some((rewritten, tree))
    })
}

/// Byte offset of a place; a mark at the beginning of the file has none.
fn offset(text: &str, place: Place) -> Option<usize> {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let lines: usize = text.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(lines.max(mark)..)?;
    let column = place.column.checked_sub(1)?;
    let within: usize = line.chars().take(column).map(char::len_utf8).sum();
    Some(lines.max(mark) + within)
}

/// Where the value whose place is `start` may begin and end, the likeliest first.
fn extents(text: &str, start: usize) -> Vec<(usize, usize)> {
    let (before, rest) = text.split_at_checked(start).unwrap_or_default();
    let ends = match rest.chars().next() {
        Some('"') => quoted_end(rest, '"', true).into_iter().collect(),
        Some('\'') => quoted_end(rest, '\'', false).into_iter().collect(),
        Some(_) => plain_ends(rest),
        None => Vec::new(),
    };
    let mut extents: Vec<(usize, usize)> = ends.into_iter().map(|end| (start, start + end)).collect();
    if let Some(header) = block_header(before)
        && let Some(end) = text.get(header..).and_then(block_end)
    {
        extents.push((header, header + end));
    }
    extents
}

/// Where a block of text began whose first line follows: the reader tells the place of its first character.
fn block_header(before: &str) -> Option<usize> {
    let written = before.trim_end();
    let line_start = written.rfind('\n').map_or(0, |at| at + 1);
    let line = written.get(line_start..)?;
    let line = line.split(" #").next().unwrap_or_default();
    line.rfind(['|', '>']).map(|at| line_start + at)
}

fn quoted_end(rest: &str, quote: char, has_escapes: bool) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if has_escapes && c == '\\' {
            characters.next();
        } else if c == quote {
            // In single quotes a doubled one stands for itself.
            if !has_escapes && characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return Some(at + quote.len_utf8());
            }
        }
    }
    None
}

/// A block goes on while lines are blank or indented as far as its first; its last line end stays in the text.
fn block_end(rest: &str) -> Option<usize> {
    let mut lines = rest.split_inclusive('\n');
    let mut end = lines.next()?.len();
    let mut last = None;
    let mut indent = None;
    for line in lines {
        let is_blank = line.trim().is_empty();
        let own = line.len() - line.trim_start_matches(' ').len();
        if !is_blank && own < *indent.get_or_insert(own.max(1)) {
            break;
        }
        end += line.len();
        if !is_blank {
            last = Some(end - (line.len() - line.trim_end_matches(['\n', '\r']).len()));
        }
    }
    last
}

/// A value without quotes ends with its line, at a comment, or, within brackets, at what ends an item.
fn plain_ends(rest: &str) -> Vec<usize> {
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.split(" #").next().unwrap_or_default();
    let mut ends = vec![line.trim_end().len()];
    for mark in [',', '}', ']'] {
        ends.extend(
            line.match_indices(mark).map(|(at, _)| line.get(..at).unwrap_or_default().trim_end().len()),
        );
    }
    ends.sort_unstable_by(|a, b| b.cmp(a));
    ends.dedup();
    ends
}
