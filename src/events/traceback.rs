//! Joins the lines of a traceback (Python, R, Java) to one message.
//!
//! What is joined depends on the bytes of the stream alone and never on time: whoever hears the same stream again makes the
//! same messages of it, which is how an adopted container's events are found to be known.

use jiff::Timestamp;

use super::trace_shape::{Shape, begins, prefix_shape};

/// Lines of one message; what follows is counted.
const LINES_MAX: u64 = 1_000;

/// Lines that belong together, mostly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    /// Of the first line.
    pub(super) time: Timestamp,
    pub(super) text: String,
    /// More than one line, so a traceback for sure.
    pub(super) is_traceback: bool,
}

/// Holds back at most one traceback, and a single line where the next one decides whether it began one.
#[derive(Debug)]
pub(super) struct Joiner {
    held: Option<Held>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Held {
    joined: Joined,
    shape: Shape,
    /// What a logger wrote before the first line.
    prefix: String,
    lines: u64,
    left_out: u64,
    /// Empty lines that count only when the traceback goes on after them.
    blanks: usize,
}

impl Joiner {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { held: None, bytes_max }
    }

    /// Takes a line; gives what is complete because of it. Blank lines are never given alone.
    pub(super) fn push(&mut self, time: Timestamp, text: String, mut each: impl FnMut(Joined)) {
        if let Some(held) = &mut self.held {
            if text.trim().is_empty() {
                held.blanks += 1;
                return;
            }
            if let Some(shape) = held.shape.after(held.without_prefix(&text)) {
                held.grow(shape, &text, self.bytes_max);
                return;
            }
        }
        if let Some(over) = self.finish() {
            each(over);
        }
        if text.trim().is_empty() {
            return;
        }
        match begins(&text) {
            Some((shape, prefix)) => {
                let prefix = prefix_shape(text.get(..prefix).unwrap_or_default());
                let joined = Joined::line(time, text);
                self.held = Some(Held { joined, shape, prefix, lines: 1, left_out: 0, blanks: 0 });
            }
            None => each(Joined::line(time, text)),
        }
    }

    /// What is held back; the stream has ended, or something else than a line comes next.
    pub(super) fn finish(&mut self) -> Option<Joined> {
        self.held.take().map(Held::finish)
    }
}

impl Joined {
    fn line(time: Timestamp, text: String) -> Self {
        Self { time, text, is_traceback: false }
    }
}

impl Held {
    /// The line without what a logger wrote before each line, where this one has it too.
    fn without_prefix<'a>(&self, line: &'a str) -> &'a str {
        match line.split_at_checked(self.prefix.len()) {
            Some((prefix, rest)) if prefix_shape(prefix) == self.prefix => rest,
            Some(_) | None => line,
        }
    }

    fn grow(&mut self, shape: Shape, line: &str, bytes_max: usize) {
        self.shape = shape;
        self.joined.is_traceback = true;
        let text = &mut self.joined.text;
        if self.left_out > 0
            || self.lines >= LINES_MAX
            || text.len() + self.blanks + 1 + line.len() > bytes_max
        {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        text.extend(std::iter::repeat_n('\n', std::mem::take(&mut self.blanks) + 1));
        text.push_str(line);
    }

    fn finish(self) -> Joined {
        let mut joined = self.joined;
        if self.left_out > 0 {
            joined.text += &format!("\n[cut: {} more lines, the complete log keeps them]", self.left_out);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn joined(lines: &str) -> Vec<String> {
        let mut joiner = Joiner::new(1_000);
        let mut found = Vec::new();
        for line in lines.lines() {
            joiner.push(Timestamp::UNIX_EPOCH, line.to_owned(), |joined| found.push(joined.text));
        }
        found.extend(joiner.finish().map(|joined| joined.text));
        found
    }

    const PYTHON: &str = r#"Traceback (most recent call last):
  File "/code/main.py", line 4, in <module>
    load()
    ~~~~^^
ValueError: not a number
  with more of it

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/code/main.py", line 6, in <module>
    raise RuntimeError("loading failed")
RuntimeError: loading failed"#;
    const PREFIXED: &str = r#"2026-01-02 03:04:05,678 ERROR Traceback (most recent call last):
2026-01-02 03:04:05,679 ERROR   File "/code/main.py", line 4, in <module>
2026-01-02 03:04:05,679 ERROR     load()
2026-01-02 03:04:05,680 ERROR ValueError: not a number"#;
    const LOGGED: &str = r#"ERROR:root:Traceback (most recent call last):
  File "/code/main.py", line 4, in <module>
KeyError: 'x'"#;
    const GROUP: &str = r#"  + Exception Group Traceback (most recent call last):
  |   File "/code/main.py", line 1, in <module>
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------"#;
    const JAVA: &str = r#"Exception in thread "main" java.lang.IllegalStateException: no table
	at com.acme.Load.run(Load.java:12)
	at com.acme.Main.main(Main.java:5)
Caused by: java.sql.SQLException: closed
	at org.db.Driver.open(Driver.java:99)
	... 2 more"#;
    const JAVA_LOGGED: &str = r"12:00:01.5 [main] ERROR com.acme.Main - com.acme.LoadException: no table
	at com.acme.Load.run(Load.java:12)
	Suppressed: java.io.IOException: x
		at com.acme.Load.close(Load.java:14)";
    const R: &str = r#"Error in read.csv("a.csv") : cannot open the connection
Calls: load -> read.csv
In addition: Warning message:
In file(file, "rt") :
  cannot open file 'a.csv': No such file or directory
Execution halted"#;
    const RLANG: &str = r#"Error in `load()`:
! no such column
Caused by error in `check()`:
! bad
Backtrace:
    ▆
 1. └─global load()
 2.   └─rlang::abort("no such column")
Execution halted"#;

    #[rstest]
    fn a_traceback_is_one_message_between_its_neighbours(
        #[values(PYTHON, PREFIXED, LOGGED, GROUP, JAVA, JAVA_LOGGED, R, RLANG)] trace: &str,
    ) {
        assert_eq!(joined(&format!("before\n{trace}\nafter\n\n")), ["before", trace, "after"]);
        assert_eq!(joined(trace), [trace]);
    }

    #[test]
    fn two_tracebacks_after_each_other_are_two() {
        assert_eq!(joined(&format!("{LOGGED}\n{LOGGED}")), [LOGGED, LOGGED]);
        assert_eq!(joined(&format!("{JAVA}\n{JAVA}")), [JAVA, JAVA]);
    }

    #[test]
    fn a_line_that_only_looks_like_a_beginning_is_a_line() {
        let lines = [
            "ValueError: caught, going on",
            "retrying",
            "java.io.IOException: once",
            "  indented",
            "at noon",
        ];
        assert_eq!(joined(&lines.join("\n")), lines);
    }

    #[test]
    fn a_traceback_without_an_end_is_bounded() {
        let text = "Traceback (most recent call last):\n".to_owned() + &"  File \"x\"\n".repeat(5_000);
        let found = joined(&text);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].len() < 1_100 && found[0].ends_with("more lines, the complete log keeps them]"),
            "{}",
            found[0]
        );
    }
}
