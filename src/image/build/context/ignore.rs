//! `.dockerignore`, by the rules of Docker's own client: the last pattern that matches a path or a folder above it wins.

/// More than a person writes; a hostile file should not keep us busy.
const PATTERNS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    /// `!`: what earlier patterns took is given back.
    gives_back: bool,
    tokens: Vec<Token>,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`
    AnyByte,
    /// `*`
    Star,
    /// `**/`: any number of whole folders.
    Folders,
    /// `**` at the end.
    Rest,
    Class {
        is_negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl Ignore {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.starts_with('#'));
        let patterns = lines.map(str::trim).filter_map(pattern).take(PATTERNS_MAX).collect();
        Self { patterns }
    }

    /// Whether a path (without leading `/`) is left out.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let last = self.patterns.iter().rev().find(|pattern| covers(&pattern.tokens, path));
        last.is_some_and(|pattern| !pattern.gives_back)
    }
}

fn pattern(line: &str) -> Option<Pattern> {
    let (gives_back, text) = match line.strip_prefix('!') {
        Some(text) => (true, text.trim()),
        None => (false, line),
    };
    let text = cleaned(text);
    (!text.is_empty()).then(|| Pattern { gives_back, tokens: tokens(text.as_bytes()) })
}

/// Without `.` parts, doubled slashes and slashes at the ends; `..` takes back what is before it.
fn cleaned(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        tokens.push(match first {
            b'*' if rest.first() == Some(&b'*') => {
                while let Some(after) = rest.strip_prefix(b"*") {
                    rest = after;
                }
                rest = rest.strip_prefix(b"/").unwrap_or(rest);
                if rest.is_empty() { Token::Rest } else { Token::Folders }
            }
            b'*' => Token::Star,
            b'?' => Token::AnyByte,
            b'[' => match class(rest) {
                Some((class, after)) => {
                    rest = after;
                    class
                }
                None => Token::Byte(b'['),
            },
            b'\\' => match rest.split_first() {
                Some((escaped, after)) => {
                    rest = after;
                    Token::Byte(*escaped)
                }
                None => Token::Byte(b'\\'),
            },
            byte => Token::Byte(*byte),
        });
    }
    tokens
}

/// `a-z]…` after the bracket; `^` or `!` at its beginning negates.
fn class(text: &[u8]) -> Option<(Token, &[u8])> {
    let end = text.iter().skip(1).position(|byte| *byte == b']')? + 1;
    let (inner, rest) = text.split_at(end);
    let (is_negated, inner) = match inner.split_first() {
        Some((b'^' | b'!', inner)) => (true, inner),
        Some(_) | None => (false, inner),
    };
    let mut ranges = Vec::new();
    let mut left = inner;
    while let Some((low, after)) = left.split_first() {
        left = after;
        let high = match left {
            [b'-', high, after @ ..] => {
                left = after;
                high
            }
            _ => low,
        };
        ranges.push((*low, *high));
    }
    Some((Token::Class { is_negated, ranges }, rest.get(1..).unwrap_or_default()))
}

/// Whether the pattern matches the path or a folder above it. All ways to match are followed at once, so that no pattern
/// takes longer than its length times the path's.
fn covers(tokens: &[Token], path: &[u8]) -> bool {
    let end = tokens.len();
    // `at[i]`: token `i` comes next. `within[i]`: `**/` is in the middle of a folder's name.
    let mut at = vec![false; end + 1];
    let mut within = vec![false; end + 1];
    at[0] = true;
    skip(tokens, &mut at);
    for byte in path {
        if *byte == b'/' && at[end] {
            return true;
        }
        let (mut next, mut next_within) = (vec![false; end + 1], vec![false; end + 1]);
        for (index, token) in tokens.iter().enumerate() {
            let is_at = at[index];
            match token {
                Token::Byte(wanted) => next[index + 1] |= is_at && byte == wanted,
                Token::AnyByte => next[index + 1] |= is_at && *byte != b'/',
                Token::Star => next[index] |= is_at && *byte != b'/',
                Token::Rest => next[index] |= is_at,
                Token::Class { is_negated, ranges } => {
                    let is_in = ranges.iter().any(|(low, high)| (low..=high).contains(&byte));
                    next[index + 1] |= is_at && *byte != b'/' && is_in != *is_negated;
                }
                Token::Folders => {
                    let is_in = is_at || within[index];
                    next_within[index] |= is_in;
                    next[index + 1] |= is_in && *byte == b'/';
                }
            }
        }
        skip(tokens, &mut next);
        (at, within) = (next, next_within);
    }
    at[end]
}

/// Tokens that may match nothing let the next one come at once.
fn skip(tokens: &[Token], at: &mut [bool]) {
    for (index, token) in tokens.iter().enumerate() {
        let may_be_nothing = match token {
            Token::Star | Token::Folders | Token::Rest => true,
            Token::Byte(_) | Token::AnyByte | Token::Class { .. } => false,
        };
        at[index + 1] |= at[index] && may_be_nothing;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("*.log", "a.log", true)]
    #[case("*.log", "a/b.log", false)]
    #[case("**/*.log", "a/b/c.log", true)]
    #[case("**/*.log", "c.log", true)]
    #[case("target", "target/x/y", true)]
    #[case("/target/", "target/x", true)]
    #[case("target", "a/target", false)]
    #[case("**/target", "a/target/x", true)]
    #[case("a/**", "a/b/c", true)]
    #[case("a/**", "b", false)]
    #[case("a/**/z", "a/z", true)]
    #[case("a/**/z", "a/b/c/z", true)]
    #[case("a/**/z", "a/bz", false)]
    #[case("*/temp*", "some/temporary.txt", true)]
    #[case("temp?", "tempa", true)]
    #[case("temp?", "temp", false)]
    #[case("[a-c].md", "b.md", true)]
    #[case("[^a-c].md", "b.md", false)]
    #[case("\\*.md", "*.md", true)]
    #[case("\\*.md", "a.md", false)]
    #[case("*.md\n!README.md", "README.md", false)]
    #[case("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true)]
    #[case("*\n!src\n", "src/x", false)]
    #[case("*\n!src\n", "other/x", true)]
    #[case("./a/../b", "b", true)]
    #[case("# comment\n\n  x  \n", "x", true)]
    #[case("", "x", false)]
    fn the_last_pattern_that_covers_a_path_wins(
        #[case] text: &str,
        #[case] path: &str,
        #[case] is_left_out: bool,
    ) {
        assert_eq!(Ignore::parse(text).matches(path.as_bytes()), is_left_out);
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_others() {
        let ignore = Ignore::parse(&"*a".repeat(500));
        assert!(!ignore.matches("a".repeat(4000).replace("aa", "ab").as_bytes()));
    }
}
