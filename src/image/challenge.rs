//! What a registry answers to somebody it does not know: `WWW-Authenticate`, by RFC 9110 as registries use it.

/// How a registry wants to be told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    /// With a token that is had at `realm`.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// The strongest challenge among the header's lines that we can answer.
pub(super) fn strongest<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let challenges: Vec<Challenge> = lines.flat_map(parse).collect();
    let bearer = challenges.iter().find(|challenge| **challenge != Challenge::Basic);
    bearer.or(challenges.first()).cloned()
}

/// All challenges of one line that we know.
fn parse(line: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (scheme, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let (parameters, after) = parameters(after);
        rest = after.trim_start_matches([',', ' ', '\t']);
        let find = |name: &str| {
            let found = parameters.iter().find(|(key, _value)| key.eq_ignore_ascii_case(name));
            found.map(|(_key, value)| value.clone())
        };
        if scheme.trim_end_matches(',').eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = find("realm")
        {
            challenges.push(Challenge::Bearer { realm, service: find("service"), scope: find("scope") });
        }
    }
    challenges
}

/// `key=value` pairs up to the next scheme, and what follows them.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches([',', ' ', '\t']);
        let Some((key, after)) = trimmed.split_once('=') else {
            return (found, trimmed);
        };
        // A space before the `=` means that the next scheme has begun.
        if key.contains([' ', ',']) {
            return (found, trimmed);
        }
        let (value, after) = value(after);
        found.push((key.to_owned(), value));
        rest = after;
    }
}

/// A token or a quoted text, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (value.to_owned(), after);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match (c, is_escaped) {
            ('\\', false) => is_escaped = true,
            ('"', false) => return (value, rest.as_str()),
            (c, _) => {
                value.push(c);
                is_escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) }
    }

    #[rstest]
    #[case(&["Basic realm=\"Registry Realm\""], Some(Challenge::Basic))]
    #[case(&["basic"], Some(Challenge::Basic))]
    #[case(
        &["Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\""],
        Some(bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull,push")))
    )]
    #[case(&["Basic realm=\"x\", Bearer realm=\"https://t\""], Some(bearer("https://t", None, None)))]
    #[case(&["Basic realm=\"x\"", "Bearer realm=https://t"], Some(bearer("https://t", None, None)))]
    #[case(&["Bearer realm=\"a \\\"b\\\", c\""], Some(bearer("a \"b\", c", None, None)))]
    #[case(&["Negotiate", "NTLM"], None)]
    #[case(&["Bearer service=\"x\""], None)]
    #[case(&[""], None)]
    fn a_registry_says_how_it_wants_to_be_told(#[case] lines: &[&str], #[case] expected: Option<Challenge>) {
        assert_eq!(strongest(lines.iter().copied()), expected);
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(line in r#"[a-zA-Z ,="\\:/]{0,80}"#) {
            let found = strongest([line.as_str()].into_iter());
            prop_assert!(found.is_none() || line.to_lowercase().contains('b'));
        }
    }
}
