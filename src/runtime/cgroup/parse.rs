//! The two shapes of cgroup files: a number, and lines of `key number`.

/// A file that holds one number; `max` and the like are none.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The number of a key in a flat-keyed file.
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| number(value)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_matched_whole() {
        let events = "low 0\nhigh 0\nmax 812\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(keyed(events, "oom_kill"), Some(2));
        assert_eq!(keyed(events, "oom"), Some(3));
        assert_eq!(keyed(events, "kill"), None);
        assert_eq!(keyed("oom_kill_disable 0\nunder_oom 0\noom_kill 7", "oom_kill"), Some(7));
    }

    #[test]
    fn a_number_has_no_words() {
        assert_eq!(number("9223372036854771712\n"), Some(9_223_372_036_854_771_712));
        assert_eq!(number("max\n"), None);
        assert_eq!(number(""), None);
    }
}
