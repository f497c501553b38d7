//! `Retry-After`: seconds, or a date.

use std::time::Duration;

use jiff::Timestamp;

/// How long from `now`; nothing for what is past or cannot be read.
pub(super) fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", Some(0))]
    #[case(" 120 ", Some(120))]
    #[case("Wed, 21 Oct 2015 07:28:30 GMT", Some(30))]
    #[case("Wed, 21 Oct 2015 07:27:30 GMT", None)]
    #[case("-1", None)]
    #[case("soon", None)]
    fn seconds_and_dates_are_read(#[case] header: &str, #[case] seconds: Option<u64>) {
        let now: Timestamp = "2015-10-21T07:28:00Z".parse().unwrap();
        assert_eq!(parse(header, now), seconds.map(Duration::from_secs));
    }
}
