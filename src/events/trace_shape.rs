//! What the lines of tracebacks look like: which line may begin one, and which may follow.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Where in a traceback a line stands, which says what may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Python: among the frames.
    PythonFrames,
    /// Python: the exception itself was told.
    PythonException,
    /// Python: another exception was announced.
    PythonChain,
    /// Python: a group of exceptions, drawn as a tree.
    PythonGroup,
    /// Java, and others that write their frames `at place(file:line)`.
    Java,
    R,
}

static PYTHON_BEGINS: LazyLock<Finder<'_>> =
    LazyLock::new(|| Finder::new("Traceback (most recent call last):"));
static EXCEPTION: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("Exception"));
static ERROR: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("Error"));
static THROWABLE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("Throwable"));

/// Python's words between an exception and the one that came of it.
const PYTHON_LINKS: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];
/// What R, and rlang on top of it, write under an error.
const R_GOES_ON: [&str; 11] = [
    "Calls: ",
    "Execution halted",
    "In addition: ",
    "In ",
    "Backtrace:",
    "Caused by error",
    "Run `rlang::",
    "! ",
    "ℹ ",
    "✖ ",
    "• ",
];

/// Whether a line may begin a traceback, and how many bytes of it a logger wrote in front.
pub(super) fn begins(line: &str) -> Option<(Shape, usize)> {
    let bytes = line.as_bytes();
    if let Some(at) = PYTHON_BEGINS.find(bytes) {
        let before = line.get(..at).unwrap_or_default();
        let is_group = before.trim_start().starts_with("+ Exception Group ");
        return Some(if is_group { (Shape::PythonGroup, 0) } else { (Shape::PythonFrames, at) });
    }
    if line.starts_with("Error in ") || line == "Error:" {
        return Some((Shape::R, 0));
    }
    if is_java_frame(line) {
        return Some((Shape::Java, 0));
    }
    let is_candidate = [&EXCEPTION, &ERROR, &THROWABLE].iter().any(|word| word.find(bytes).is_some());
    if !is_candidate {
        return None;
    }
    java_header(line).map(|prefix| (Shape::Java, prefix))
}

impl Shape {
    /// The place of the next line, where it belongs to the same traceback.
    pub(super) fn after(self, line: &str) -> Option<Self> {
        let is_indented = line.starts_with([' ', '\t']);
        match self {
            Self::PythonFrames if is_indented => Some(Self::PythonFrames),
            Self::PythonFrames => Some(Self::PythonException),
            Self::PythonException if is_indented => Some(Self::PythonException),
            Self::PythonException => {
                PYTHON_LINKS.iter().any(|link| line.starts_with(link)).then_some(Self::PythonChain)
            }
            Self::PythonChain => PYTHON_BEGINS.find(line.as_bytes()).map(|_at| Self::PythonFrames),
            Self::PythonGroup => (is_indented && line.trim_start().starts_with(['|', '+'])).then_some(self),
            Self::Java => is_java_more(line).then_some(self),
            Self::R => {
                let goes_on = is_indented || R_GOES_ON.iter().any(|words| line.starts_with(words));
                goes_on.then_some(self)
            }
        }
    }
}

/// A prefix with its digits made equal, so that a later time is the same prefix.
pub(super) fn prefix_shape(prefix: &str) -> String {
    prefix.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// `\tat place(file:line)`.
fn is_java_frame(line: &str) -> bool {
    let frame = line.trim_start();
    line.len() > frame.len() && frame.starts_with("at ") && frame.contains('(')
}

fn is_java_more(line: &str) -> bool {
    let inner = line.trim_start();
    let is_count = || {
        let rest = inner.strip_prefix("... ")?;
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        Some(rest.starts_with(" more") || rest.starts_with(" common frames omitted"))
    };
    is_java_frame(line)
        || inner.starts_with("Caused by: ")
        || inner.starts_with("Suppressed: ")
        || is_count().unwrap_or(false)
}

/// Where `package.SomeException: words` begins in a line, or `SomeError: words` at its beginning.
fn java_header(line: &str) -> Option<usize> {
    if line.starts_with("Exception in thread \"") {
        return Some(0);
    }
    let mut at = 0;
    for word in line.split(' ') {
        let is_last = at + word.len() == line.len();
        let name = word.strip_suffix(':');
        if (name.is_some() || is_last) && is_class(name.unwrap_or(word), at == 0) {
            return Some(at);
        }
        at += word.len() + 1;
    }
    None
}

/// Whether a word is the name of an exception's class. Names without a package are too common in plain sentences.
fn is_class(name: &str, may_be_bare: bool) -> bool {
    let simple = name.rsplit('.').next().unwrap_or(name);
    let is_exception = ["Exception", "Error", "Throwable"].iter().any(|end| simple.ends_with(end));
    let is_bare = simple.len() == name.len();
    is_exception
        && (!is_bare || (may_be_bare && simple != "Error"))
        && simple.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$'))
}
