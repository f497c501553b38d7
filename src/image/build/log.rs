//! What a build said: cut into lines as it comes, the last of them kept for the error.

use std::collections::VecDeque;

/// Enough to see a failing command with what it said.
const LINES_KEPT: usize = 100;
/// Longer lines are cut: they are progress bars or data.
const LINE_LENGTH_MAX: usize = 2000;

#[derive(Debug, Default)]
pub(super) struct BuildLog {
    /// The line that has not ended yet.
    open: String,
    last: VecDeque<String>,
}

impl BuildLog {
    /// Takes a piece; gives the lines that ended in it.
    pub(super) fn push(&mut self, piece: &str) -> Vec<String> {
        let mut ended = Vec::new();
        for part in piece.split_inclusive('\n') {
            // What has no end could fill the memory.
            if self.open.len() <= LINE_LENGTH_MAX * 4 {
                self.open.push_str(part);
            }
            if part.ends_with('\n') {
                ended.extend(self.end_line());
            }
        }
        ended
    }

    /// The last line, where it had no end.
    pub(super) fn finish(&mut self) -> Option<String> {
        self.end_line()
    }

    pub(super) fn last_lines(self) -> Vec<String> {
        self.last.into()
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.open);
        // A terminal would show what comes after the last return to the line's start.
        let shown = line.trim_end().rsplit('\r').next().unwrap_or_default();
        let mut shown = plain(shown);
        if let Some((end, _)) = shown.char_indices().nth(LINE_LENGTH_MAX) {
            shown.truncate(end);
            shown.push_str(" … (cut)");
        }
        if shown.is_empty() {
            return None;
        }
        if self.last.len() == LINES_KEPT {
            self.last.pop_front();
        }
        self.last.push_back(shown.clone());
        Some(shown)
    }
}

/// Without colours (the engine paints what came from stderr) and other control characters.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        // Parameters end with a letter.
        rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_parameters, rest)| rest);
    }
    plain.push_str(rest);
    plain.retain(|c| c == '\t' || !c.is_control());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines_as_a_terminal_would_show_them() {
        let mut log = BuildLog::default();
        assert_eq!(log.push("Step 1/2 : FROM x\n ---> 12"), ["Step 1/2 : FROM x"]);
        assert_eq!(log.push("34\n\n10%\r20%\r\n\u{1b}[1;91mred\u{1b}[0m\n"), [" ---> 1234", "20%", "red"]);
        assert_eq!(log.push("end"), Vec::<String>::new());
        assert_eq!(log.finish().as_deref(), Some("end"));
        assert_eq!(log.last_lines(), ["Step 1/2 : FROM x", " ---> 1234", "20%", "red", "end"]);
    }

    #[test]
    fn the_last_hundred_lines_are_kept_and_long_ones_cut() {
        let mut log = BuildLog::default();
        for n in 0..150 {
            log.push(&format!("{n}\n"));
        }
        log.push(&"x".repeat(100_000));
        log.finish();
        let last = log.last_lines();
        assert_eq!((last.len(), last.first().unwrap().as_str()), (100, "51"));
        assert_eq!(last.last().unwrap(), &format!("{} … (cut)", "x".repeat(2000)));
    }
}
