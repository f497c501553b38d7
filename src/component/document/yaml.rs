//! YAML 1.2: `yes`, `007` and `1_000` stay texts, and what aliases expand to is bounded.

use serde::de::Deserialize;
use serde_saphyr::options::AliasLimits;
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use super::visit::{Tree, Wrapper, into_node};
use super::{Fault, Node, Place};

/// How much text may be repeated through aliases: far more than a person writes, too little to fill memory.
const ALIAS_EVENTS_MAX: usize = 50_000;

struct Yaml;

impl Wrapper for Yaml {
    type Wrapped<'de, T: Deserialize<'de>> = Spanned<T>;

    fn unwrap<'de, T: Deserialize<'de>>(wrapped: Spanned<T>) -> (T, Place) {
        let place = to_place(wrapped.referenced).unwrap_or_default();
        (wrapped.value, place)
    }
}

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let mut alias_limits = AliasLimits::default();
    alias_limits.max_total_replayed_events = ALIAS_EVENTS_MAX;
    let options = serde_saphyr::options! {
        alias_limits: alias_limits,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Tree<Yaml>>>(text, options) {
        Ok(spanned) => Ok(into_node::<Yaml>(spanned)),
        Err(error) => {
            if let Some(place) = indenting_tab(text) {
                let message = "a tab indents this line: YAML is indented with spaces".to_owned();
                return Err(Fault { place: Some(place), message });
            }
            let message = UserMessageFormatter.format_message(&error).into_owned();
            Err(Fault { place: error.location().and_then(to_place), message })
        }
    }
}

/// The first line that begins with a tab. The library tells only what it had hoped to find instead.
fn indenting_tab(text: &str) -> Option<Place> {
    text.lines().zip(1..).find_map(|(line, number)| {
        let column = line.trim_start_matches(' ').starts_with('\t').then(|| line.find('\t'))??;
        Some(Place { line: number, column: column + 1 })
    })
}

/// `None` for the library's "unknown", which counts from 0.
fn to_place(location: serde_saphyr::Location) -> Option<Place> {
    let line = usize::try_from(location.line()).ok().filter(|line| *line > 0)?;
    let column = usize::try_from(location.column()).ok().filter(|column| *column > 0)?;
    Some(Place { line, column })
}
