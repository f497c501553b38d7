//! JSON: the values from a JSON reader, the places from a second walk over the text it has accepted.

use std::iter::Peekable;
use std::str::Chars;

use serde::de::Deserialize;

use super::visit::{Tree, Wrapper, into_node};
use super::{Fault, Node, Place, Value};

struct Json;

impl Wrapper for Json {
    type Wrapped<'de, T: Deserialize<'de>> = T;

    fn unwrap<'de, T: Deserialize<'de>>(wrapped: T) -> (T, Place) {
        (wrapped, Place::default())
    }
}

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let tree: Tree<Json> = serde_json::from_str(text).map_err(|error| {
        let place = Place { line: error.line(), column: error.column().max(1) };
        let said = error.to_string();
        // The reader repeats the place at the end of its message.
        let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _place)| message);
        Fault { place: Some(place), message: format!("this is not JSON: {message}") }
    })?;
    let mut node = into_node::<Json>(tree);
    Walk { rest: text.chars().peekable(), place: Place { line: 1, column: 1 } }.mark(&mut node);
    Ok(node)
}

/// A walk over a text that is known to be JSON and to hold exactly the tree being marked.
struct Walk<'a> {
    rest: Peekable<Chars<'a>>,
    place: Place,
}

impl Walk<'_> {
    fn mark(&mut self, node: &mut Node) {
        self.skip_blank();
        node.place = self.place;
        match &mut node.value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                while self.rest.peek().is_some_and(|c| !matches!(c, ',' | ']' | '}') && !is_blank(*c)) {
                    self.step();
                }
            }
            Value::Text(_) => self.skip_string(),
            Value::List(nodes) => {
                self.step();
                for node in nodes {
                    self.mark(node);
                    self.skip_mark();
                }
                self.close();
            }
            Value::Map(entries) => {
                self.step();
                for entry in entries {
                    self.skip_blank();
                    entry.place = self.place;
                    self.skip_string();
                    self.skip_mark();
                    self.mark(&mut entry.node);
                    self.skip_mark();
                }
                self.close();
            }
        }
    }

    fn step(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn skip_blank(&mut self) {
        while self.rest.peek().copied().is_some_and(is_blank) {
            self.step();
        }
    }

    /// Steps over a `:` or a `,`; a closing bracket stays.
    fn skip_mark(&mut self) {
        self.skip_blank();
        if matches!(self.rest.peek(), Some(':' | ',')) {
            self.step();
        }
    }

    /// Steps over the bracket that ends a list or a mapping.
    fn close(&mut self) {
        self.skip_blank();
        self.step();
    }

    fn skip_string(&mut self) {
        self.step();
        while let Some(c) = self.step() {
            match c {
                '"' => return,
                '\\' => {
                    self.step();
                }
                _ => {}
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
