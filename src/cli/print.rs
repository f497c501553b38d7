//! The only place that writes to the terminal: data to stdout, words for people to stderr.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::exit::Trouble;

/// How reports are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Decides what may be printed, where and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    pub(crate) format: Format,
    pub(crate) is_quiet: bool,
    pub(crate) has_colour: bool,
}

impl Printer {
    pub(crate) fn new(format: Format, is_quiet: bool, is_colour_wanted: bool) -> Self {
        Self { format, is_quiet, has_colour: is_colour_wanted && io::stderr().is_terminal() }
    }

    /// Progress is drawn for a person who watches, never into a file.
    pub(crate) fn shows_progress(self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }

    /// A report in the asked format: JSON of `value`, or the text that `text` makes.
    pub(crate) fn report(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Trouble> {
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(value).map_err(|error| Trouble::platform(&error))?;
                self.data(format!("{}\n", inert_json(&json)).as_bytes())
            }
            Format::Text => self.data(text().as_bytes()),
        }
    }

    /// Bytes to stdout. A reader that has gone away (`| head`) is no trouble.
    #[expect(clippy::unused_self, reason = "who may write to stdout has a printer")]
    pub(crate) fn data(self, bytes: &[u8]) -> Result<(), Trouble> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::platform(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A line for people, unless they asked for quiet.
    pub(crate) fn note(self, line: &str) {
        if !self.is_quiet {
            to_people(&printable(line));
        }
    }

    /// A line with a mark of our own before somebody else's words.
    pub(crate) fn note_marked(self, mark: &str, words: &str) {
        if !self.is_quiet {
            for line in words.lines() {
                to_people(&format!("{mark} {}", printable(line)));
            }
        }
    }

    pub(crate) fn trouble(self, trouble: &Trouble) {
        for message in &trouble.messages {
            to_people(&format!("{} {}", self.paint("31;1", "error:"), printable_lines(message)));
        }
        if let Some(hint) = &trouble.hint {
            to_people(&format!("{} {}", self.paint("36;1", "hint:"), printable_lines(hint)));
        }
    }

    /// `text` in a colour (an SGR code) where the terminal takes it.
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A line to stderr. Nobody may be there to read it (`2>&1 | head`, a closed terminal): the work goes on all the same,
/// where `eprintln!` would end it in the middle.
fn to_people(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// What a terminal would act on instead of showing it: control characters, and those that turn the direction of text.
fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text of somebody else's, safe for a terminal: control characters are shown, not obeyed.
pub(crate) fn printable(text: &str) -> String {
    if !text.contains(is_obeyed) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_obeyed(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// JSON, safe for a terminal: what one would obey is written as an escape, which means the same to whoever reads it as
/// JSON. Only texts hold such characters; JSON itself is laid out with line ends and spaces.
pub(crate) fn inert_json(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_obeyed(c) {
            let mut units = [0; 2];
            inert.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            inert.push(c);
        }
    }
    inert
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Text cut to what so many terminal columns hold; wide characters take two.
pub(crate) fn cut(text: &str, width_max: usize) -> String {
    let shown = printable(text).replace('\t', "\\t");
    if shown.width() <= width_max {
        return shown;
    }
    let mut width = 1;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width <= width_max
    };
    let mut short: String = shown.chars().take_while(fits).collect();
    short.push('…');
    short
}

/// Rows in aligned columns; numbers (by `right`) to the right.
pub(crate) fn grid(head: &[&str], right: &[bool], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.chain([head[column].width()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let head_row: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    for row in std::iter::once(&head_row).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[column].saturating_sub(cell.width()));
            let is_right = right.get(column).copied().unwrap_or(false);
            let (before, after) = if is_right { (padding.as_str(), "") } else { ("", padding.as_str()) };
            line.push_str(before);
            line.push_str(cell);
            line.push_str(after);
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Bytes for people: `1.5 MiB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A count of rows for people: `1 row`, `2 rows`.
pub(crate) fn rows_text(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// A duration for people: milliseconds below ten seconds, then seconds and minutes.
pub(crate) fn duration_text(took: std::time::Duration) -> String {
    let millis = took.as_millis();
    if millis < 10_000 {
        return format!("{millis} ms");
    }
    let seconds = took.as_secs();
    if seconds < 120 {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let cells = ["a", "日本語", "e\u{301}", "🚢"];
        let rows: Vec<Vec<String>> =
            cells.iter().map(|cell| vec![(*cell).to_owned(), "1".to_owned()]).collect();
        assert_eq!(
            grid(&["名", "N"], &[], &rows),
            "名      N\na       1\n日本語  1\ne\u{301}       1\n🚢      1\n"
        );
    }

    #[test]
    fn a_long_cell_is_cut_where_the_terminal_would_be_full() {
        for (text, shown) in [
            ("12345678", "12345678"),
            ("123456789", "1234567…"),
            ("日本語日本", "日本語…"),
            ("two\nlines", "two\\nli…"),
            ("\u{1b}[31m", "\\u{1b}[…"),
        ] {
            assert_eq!(cut(text, 8), shown);
        }
    }
}
