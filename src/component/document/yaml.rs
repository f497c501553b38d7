//! YAML 1.2: `yes`, `007` and `1_000` stay texts, and what aliases expand to is bounded.

use serde::de::Deserialize;
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use super::visit::{Tree, Wrapper, into_node};
use super::{Fault, Node, Place};

struct Yaml;

impl Wrapper for Yaml {
    type Wrapped<'de, T: Deserialize<'de>> = Spanned<T>;

    fn unwrap<'de, T: Deserialize<'de>>(wrapped: Spanned<T>) -> (T, Place) {
        let place = to_place(wrapped.referenced).unwrap_or_default();
        (wrapped.value, place)
    }
}

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Tree<Yaml>>>(text, options) {
        Ok(spanned) => Ok(into_node::<Yaml>(spanned)),
        Err(error) => {
            let message = UserMessageFormatter.format_message(&error).into_owned();
            Err(Fault { place: error.location().and_then(to_place), message })
        }
    }
}

/// `None` for the library's "unknown", which counts from 0.
fn to_place(location: serde_saphyr::Location) -> Option<Place> {
    let line = usize::try_from(location.line()).ok().filter(|line| *line > 0)?;
    let column = usize::try_from(location.column()).ok().filter(|column| *column > 0)?;
    Some(Place { line, column })
}
