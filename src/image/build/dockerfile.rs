//! Which images a Dockerfile starts from. Everything else in it is the engine's to read.

use std::collections::HashMap;

/// The images of all `FROM` and `COPY --from` that are not stages of the Dockerfile itself, in order, each once.
/// `args` are the build's arguments. What cannot be told is left out: then the engine says what is wrong.
pub(super) fn base_images(text: &str, args: &[(String, String)]) -> Vec<String> {
    let mut reading = Reading { said: args, ..Reading::default() };
    for instruction in instructions(text) {
        reading.read(&instruction);
    }
    reading.bases
}

#[derive(Debug, Default)]
struct Reading<'a> {
    said: &'a [(String, String)],
    /// Arguments before the first `FROM`: the only ones that a `FROM` sees.
    args: HashMap<String, String>,
    stages: Vec<String>,
    bases: Vec<String>,
}

impl Reading<'_> {
    fn read(&mut self, instruction: &str) {
        let mut words = instruction.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match keyword.as_str() {
            "ARG" if self.stages.is_empty() => words.for_each(|word| self.declare(word)),
            "FROM" => {
                let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                if let Some(image) = words.first() {
                    self.add(&substitute(image, &self.args));
                }
                let stage = words.get(2).copied().unwrap_or_default();
                self.stages.push(stage.to_ascii_lowercase());
            }
            "COPY" => {
                let from = words.find_map(|word| word.strip_prefix("--from="));
                if let Some(from) = from.filter(|from| from.parse::<usize>().is_err()) {
                    self.add(from);
                }
            }
            _ => {}
        }
    }

    fn declare(&mut self, word: &str) {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(default.trim_matches(['"', '\'']))),
            None => (word, None),
        };
        let said = self.said.iter().find(|(key, _value)| key == name).map(|(_key, value)| value.as_str());
        if let Some(value) =
            said.map(str::to_owned).or_else(|| default.map(|text| substitute(text, &self.args)))
        {
            self.args.insert(name.to_owned(), value);
        }
    }

    fn add(&mut self, image: &str) {
        let is_stage = self.stages.iter().any(|stage| stage == &image.to_ascii_lowercase());
        let is_known = self.bases.iter().any(|base| base == image);
        if !image.is_empty() && image != "scratch" && !is_stage && !is_known {
            self.bases.push(image.to_owned());
        }
    }
}

/// Instructions on one line each, without comments.
fn instructions(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}');
    let escape = escape_character(text);
    let (mut found, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(start) = line.strip_suffix(escape) {
            open.push_str(start);
        } else {
            open.push_str(line);
            found.push(std::mem::take(&mut open));
        }
    }
    found.push(open);
    found
}

/// `# escape=…` among the directives at the top.
fn escape_character(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#')?.split_once('='));
    let mut escapes = directives.filter(|(key, _value)| key.trim().eq_ignore_ascii_case("escape"));
    if escapes.next().is_some_and(|(_key, value)| value.trim() == "`") { '`' } else { '\\' }
}

/// `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`; a name without a value is empty.
fn substitute(text: &str, args: &HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let in_braces = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (expression, after) = in_braces.unwrap_or_else(|| {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            after.split_at(end)
        });
        out.push_str(&value_of(expression, args));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn value_of(expression: &str, args: &HashMap<String, String>) -> String {
    let value = |name: &str| args.get(name).filter(|value| !value.is_empty()).cloned();
    if let Some((name, default)) = expression.split_once(":-") {
        return value(name).unwrap_or_else(|| default.to_owned());
    }
    if let Some((name, other)) = expression.split_once(":+") {
        return value(name).map(|_value| other.to_owned()).unwrap_or_default();
    }
    value(expression).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("FROM debian:12\nRUN true\n", &["debian:12"])]
    #[case("from --platform=linux/amd64 debian AS base\nFROM base\nCOPY --from=base /x /x\n", &["debian"])]
    #[case("FROM a AS One\nFROM b\nCOPY --from=one /x /\nCOPY --from=0 /x /\nCOPY --from=tools:1 /x /\n", &["a", "b", "tools:1"])]
    #[case("ARG TAG=11\nARG BASE=python:$TAG\nFROM ${BASE}\n", &["python:12"])]
    #[case("ARG OTHER\nFROM x:${OTHER:-fallback}${OTHER:+y}\n", &["x:fallback"])]
    #[case("FROM scratch\nFROM a\nARG TAG\nFROM a\n", &["a"])]
    #[case("# escape=`\n# comment\nFROM `\n# within\n  debian\n", &["debian"])]
    #[case("FROM \\\n  debian\n", &["debian"])]
    #[case("FROM $NOTHING\n", &[])]
    #[case("", &[])]
    fn the_images_from_outside_are_found(#[case] text: &str, #[case] bases: &[&str]) {
        assert_eq!(base_images(text, &[("TAG".into(), "12".into())]), bases);
    }
}
