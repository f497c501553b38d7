//! Variables of the environment that look like settings and are none: a misspelt one would be ignored without a word.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::environment::{known_keys, process_environment};
use crate::component::document::most_like;

const PREFIX: &str = "LONGSHORE_";
/// Beside the keys of the settings.
const OTHERS: [&str; 2] = ["PROJECT_DIR", "LOG"];
/// Of the scripts and files around the program: of `deploy/`, of `scripts/`, and what git's credential helper is given.
const OF_OTHERS: [&str; 8] = [
    "BINARY",
    "DOCKERD_OPTIONS",
    "DOCKER_SOCKET",
    "GIT_TOKEN",
    "GIT_USERNAME",
    "HOME",
    "IMAGE",
    "RABBITMQ_SETTINGS",
];
/// Kubernetes tells each container of each service `NAME_SERVICE_HOST`, `NAME_PORT_8080_TCP_ADDR` and the like, and our
/// scripts name ports so too. No setting does.
const OF_ORCHESTRATORS: [&str; 2] = ["_SERVICE_", "_PORT"];

/// The environment of this process, with a memory of what was asked for: settings may name variables of their own.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    asked: RefCell<BTreeSet<String>>,
}

impl Variables {
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        process_environment(name)
    }

    /// A sentence for each variable that begins like ours and means nothing. To be asked when the settings are read.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let names = std::env::vars_os().filter(|(_name, value)| !value.is_empty());
        let names: BTreeSet<String> =
            names.map(|(name, _value)| name.to_string_lossy().into_owned()).collect();
        complaints(names.difference(&self.asked.borrow()))
    }
}

fn complaints<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let keys: Vec<String> = known_keys().into_iter().map(|(path, _is_typed)| path.join("_")).collect();
    let others = OTHERS.map(str::to_lowercase);
    let known: Vec<&str> = keys.iter().chain(&others).map(String::as_str).collect();
    let unknown = names.filter_map(|name| {
        let key = name.strip_prefix(PREFIX)?;
        let is_known = known.contains(&key.to_lowercase().as_str()) && key == key.to_uppercase();
        let is_of_others =
            OF_OTHERS.contains(&key) || OF_ORCHESTRATORS.iter().any(|part| format!("_{key}").contains(part));
        (!is_known && !is_of_others).then_some((name, key))
    });
    let sentence = |(name, key): (&String, &str)| {
        let hint =
            most_like(key, &known).map(|like| format!(" (did you mean {PREFIX}{}?)", like.to_uppercase()));
        format!("the variable {name} means nothing to Longshore and is ignored{}", hint.unwrap_or_default())
    };
    unknown.map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_setting_and_is_none_is_told_with_the_nearest_one() {
        let names = [
            "HOME",
            "LONGSHORE_CATALOG_URL",
            "LONGSHORE_LOG",
            "LONGSHORE_PROJECT_DIR",
            "LONGSHORE_PRESETS_SMALL_MEMORY",
            "LONGSHORE_SERVICE_HOST",
            "LONGSHORE_API_PORT_8080_TCP_ADDR",
            "LONGSHORE_PORT",
            "LONGSHORE_DOCKERD_OPTIONS",
            "LONGSHORE_CEILING_MEMORY",
            "LONGSHORE_catalog_url",
            "LONGSHORE_XYZZY",
        ];
        assert_eq!(
            complaints(names.map(str::to_owned).iter()),
            [
                "the variable LONGSHORE_CEILING_MEMORY means nothing to Longshore and is ignored (did you mean \
                 LONGSHORE_CEILINGS_MEMORY?)",
                "the variable LONGSHORE_catalog_url means nothing to Longshore and is ignored (did you mean \
                 LONGSHORE_CATALOG_URL?)",
                "the variable LONGSHORE_XYZZY means nothing to Longshore and is ignored"
            ]
        );
    }
}
