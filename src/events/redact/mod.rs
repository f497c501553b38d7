//! Masks secrets in everything that goes out. The only way from a component's bytes to an event or a log.

#[cfg(test)]
mod tests;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands where a secret was.
pub(crate) const MASK: &str = "[hidden]";

/// Shorter values are left alone: masking `1`, `no` or `true` would blank unrelated text and so betray the value.
const SECRET_LENGTH_MIN: usize = 3;

/// In another case a short secret may be a word that means nothing.
const OTHER_CASE_LENGTH_MIN: usize = 8;
/// A longer secret is a document: nobody writes it as a dump of digits, and all of its forms would take memory without end.
const DOCUMENT_LENGTH_MIN: usize = 4 << 10;
/// Eight digits: a shorter run of them is a number like many.
const HEX_LENGTH_MIN: usize = 4;

/// What `encodeURI`-like encoders leave as it is.
const URI_LENIENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'%').add(b'`');
/// RFC 3986, as most encoders do: the unreserved characters stay.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Python's `quote`.
const WITH_SLASH: &AsciiSet = &UNRESERVED.remove(b'/');
/// JavaScript's `encodeURIComponent`.
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// HTML forms, which also write a space as `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');
const ENCODERS: [&AsciiSet; 6] = [NON_ALPHANUMERIC, URI_LENIENT, UNRESERVED, WITH_SLASH, COMPONENT, FORM];

/// Finds secrets as they stand, in capitals and small letters, JSON-escaped, URL-encoded, in HTML, in hexadecimal, and in base64
/// at each of its three offsets.
///
/// A secret of several lines is also found line by line, because speech is read by line. Not found is what was compressed,
/// encrypted, split over two lines, or encoded twice: masking is against mishaps, not against a component that wants to tell.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// `None` when there is nothing to hide.
    patterns: Option<Patterns>,
}

#[derive(Clone)]
struct Patterns {
    automaton: AhoCorasick,
    length_max: usize,
}

/// Shows how much is hidden, never what.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.patterns.as_ref().map_or(0, |patterns| patterns.automaton.patterns_len());
        f.debug_struct("Redactor").field("patterns", &count).finish()
    }
}

impl Redactor {
    /// A redactor for these values. Values too short to be hidden sensibly are skipped.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut variants: Vec<Vec<u8>> = secrets.into_iter().flat_map(variants).collect();
        variants.sort();
        variants.dedup();
        let Some(length_max) = variants.iter().map(Vec::len).max() else {
            return Self::default();
        };
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&variants);
        match built {
            Ok(automaton) => Self { patterns: Some(Patterns { automaton, length_max }) },
            // To go on would be to say the secrets.
            Err(error) => unreachable!("fails only past two thousand million bytes of secrets: {error}"),
        }
    }

    /// `text` with every secret replaced.
    pub(crate) fn mask(&self, text: &str) -> String {
        match &self.patterns {
            None => text.to_owned(),
            Some(patterns) => {
                let mut masked = String::with_capacity(text.len());
                patterns.automaton.replace_all_with(text, &mut masked, |_found, _text, out| {
                    out.push_str(MASK);
                    true
                });
                masked
            }
        }
    }

    /// What finds a secret in any of its forms, and how long the longest form is; `None` when there is nothing to hide.
    pub(super) fn patterns(&self) -> Option<(&AhoCorasick, usize)> {
        self.patterns.as_ref().map(|patterns| (&patterns.automaton, patterns.length_max))
    }

    /// Begins to mask a stream that arrives in pieces.
    pub(super) fn stream(&self) -> StreamRedactor {
        StreamRedactor { patterns: self.patterns.clone(), pending: Vec::new() }
    }
}

/// Masks one stream across the borders of its pieces.
#[derive(Debug)]
pub(super) struct StreamRedactor {
    patterns: Option<Patterns>,
    /// The end of what was given, which may be the beginning of a secret.
    pending: Vec<u8>,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patterns").field("length_max", &self.length_max).finish_non_exhaustive()
    }
}

impl StreamRedactor {
    /// Takes a piece and appends what can be said for certain to `out`. A complete line never waits:
    /// no pattern holds a newline.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(patterns) = &self.patterns else {
            out.extend_from_slice(piece);
            return;
        };
        self.pending.extend_from_slice(piece);
        let after_newline = memchr::memrchr(b'\n', &self.pending).map_or(0, |at| at + 1);
        let certain = after_newline.max(self.pending.len().saturating_sub(patterns.length_max - 1));
        let taken = mask_until(&patterns.automaton, &self.pending, certain, out);
        self.pending.drain(..taken);
    }

    /// Ends the stream: what was held back goes out, masked.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(patterns) = &self.patterns {
            mask_until(&patterns.automaton, &self.pending, self.pending.len(), out);
            self.pending.clear();
        }
    }
}

/// Writes `bytes` up to `certain`, masked; a secret that begins before `certain` and ends behind it is left for the
/// next time. Returns how many bytes were used.
fn mask_until(automaton: &AhoCorasick, bytes: &[u8], certain: usize, out: &mut Vec<u8>) -> usize {
    let mut written = 0;
    for found in automaton.find_iter(bytes) {
        if found.start() >= certain {
            break;
        }
        out.extend_from_slice(&bytes[written..found.start()]);
        if found.end() > certain {
            return found.start();
        }
        out.extend_from_slice(MASK.as_bytes());
        written = found.end();
    }
    out.extend_from_slice(&bytes[written..certain]);
    certain
}

/// Every way a secret may be written.
fn variants(secret: &str) -> Vec<Vec<u8>> {
    let whole = secret.trim_matches(['\r', '\n']);
    // Whoever reads a value often takes blanks from its ends.
    let mut pieces: Vec<&str> = vec![whole, whole.trim()];
    if whole.contains('\n') {
        // Lines of a key or certificate; short ones (a lone brace) are no secret by themselves.
        pieces.extend(whole.lines().map(str::trim).filter(|line| line.len() >= 8));
    }
    let mut variants = Vec::new();
    for piece in pieces.into_iter().filter(|piece| piece.len() >= SECRET_LENGTH_MIN && !is_plain_word(piece))
    {
        if !piece.contains('\n') {
            variants.push(piece.as_bytes().to_vec());
        }
        if let Ok(json) = serde_json::to_string(piece) {
            let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json);
            for written in [inner.to_owned(), ascii_json(inner)] {
                variants.push(written.replace('/', "\\/").into_bytes());
                variants.push(written.into_bytes());
            }
        }
        if piece.len() < DOCUMENT_LENGTH_MIN {
            variants.extend(unicode_escapes(piece));
            variants.extend(other_case(piece).map(String::into_bytes));
            variants.extend(hex_variants(piece.as_bytes()));
        }
        variants.push(html(piece).into_bytes());
        for set in ENCODERS {
            let encoded = utf8_percent_encode(piece, set).to_string();
            for spaced in [encoded.replace("%20", "+"), encoded] {
                variants.push(lower_hex(&spaced).into_bytes());
                variants.push(spaced.into_bytes());
            }
        }
        variants.extend(base64_variants(piece.as_bytes()));
    }
    variants.retain(|variant| variant.len() >= SECRET_LENGTH_MIN && !variant.contains(&b'\n'));
    variants
}

/// JSON text whose other letters are escaped too, as Python and PHP write it.
fn ascii_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            let mut units = [0; 2];
            escaped.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

/// Every character as `\\uXXXX`, as some encoders write all of a text.
fn unicode_escapes(text: &str) -> [Vec<u8>; 2] {
    let written = |escape: fn(u16) -> String| text.encode_utf16().map(escape).collect::<Vec<_>>().concat();
    [
        written(|unit| format!("\\u{unit:04x}")).into_bytes(),
        written(|unit| format!("\\u{unit:04X}")).into_bytes(),
    ]
}

/// The secret in capitals and in small letters, where it is so long that a word of the language would hardly be it.
fn other_case(text: &str) -> impl Iterator<Item = String> + use<> {
    let is_safe = text.len() >= OTHER_CASE_LENGTH_MIN;
    [text.to_uppercase(), text.to_lowercase()].into_iter().filter(move |_| is_safe)
}

/// Two digits a byte, in one run or with a separator as dumps write them.
fn hex_variants(secret: &[u8]) -> Vec<Vec<u8>> {
    if secret.len() < HEX_LENGTH_MIN {
        return Vec::new();
    }
    let mut variants = Vec::new();
    for separator in ["", ":", " ", "\\x"] {
        let pairs = |digits: fn(&u8) -> String| secret.iter().map(digits).collect::<Vec<_>>().join(separator);
        variants.push(pairs(|byte| format!("{byte:02x}")).into_bytes());
        variants.push(pairs(|byte| format!("{byte:02X}")).into_bytes());
    }
    variants
}

/// With the entities that HTML and XML need.
fn html(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A URL-encoded text with the digits of its escapes, and nothing else, in small letters.
fn lower_hex(encoded: &str) -> String {
    let mut digits_left = 0;
    let lower = |c: char| {
        if c == '%' {
            digits_left = 2;
            return c;
        }
        let is_digit = digits_left > 0;
        digits_left -= usize::from(is_digit);
        if is_digit { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

/// Words that configurations hold under `#` keys without meaning a secret.
fn is_plain_word(value: &str) -> bool {
    matches!(value, "true" | "false" | "null" | "yes" | "none")
}

/// Base64 of a text that the secret begins in at offset 0, 1 or 2 of a group of three; the characters that also depend
/// on the neighbours are cut off.
fn base64_variants(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut variants = Vec::new();
    for offset in 0..3_usize {
        let mut shifted = vec![0_u8; offset];
        shifted.extend_from_slice(secret);
        for engine in [STANDARD, URL_SAFE] {
            let encoded = engine.encode(&shifted).into_bytes();
            let head = (offset * 8).div_ceil(6);
            let tail = shifted.len() * 8 / 6;
            // Under eight characters a match says little and hits unrelated text.
            if tail >= head + 8 {
                variants.push(encoded[head..tail].to_vec());
            }
        }
    }
    variants
}
