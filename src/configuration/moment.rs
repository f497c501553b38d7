//! Moments as configurations write them: absolute, or relative to the start of the run.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};

use crate::component::document::Item;
use crate::job::ChangedSince;

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a moment: write e.g. 2024-05-01, 2024-05-01T10:00:00Z, -2 days, 3 hours ago or yesterday"
)]
pub(super) struct MomentError {
    text: String,
}

/// Times without an offset are UTC.
pub(super) fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, MomentError> {
    let wrong = || MomentError { text: text.to_owned() };
    let word = text.trim();
    let today = || now.to_zoned(TimeZone::UTC).start_of_day();
    let found = match word.to_lowercase().as_str() {
        "now" => Some(now),
        "today" | "midnight" => today().ok().map(|day| day.timestamp()),
        "yesterday" => today().and_then(|day| day.checked_sub(1.day())).ok().map(|day| day.timestamp()),
        _ => absolute(word).or_else(|| relative(word, now)),
    };
    found.ok_or_else(wrong)
}

fn absolute(text: &str) -> Option<Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Timestamp::from_second(seconds.parse().ok()?).ok();
    }
    let with_offset = Timestamp::from_str(text).ok();
    with_offset.or_else(|| {
        let local = DateTime::from_str(text).ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned: Zoned| zoned.timestamp())
    })
}

fn relative(text: &str, now: Timestamp) -> Option<Timestamp> {
    let span = Span::from_str(text).ok()?;
    now.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|moment| moment.timestamp())
}

/// `changed_since` and the older `days` of an input, of which at most one may be said.
pub(super) fn read_changed_since(
    since: Option<Item<'_>>,
    days: Option<Item<'_>>,
    now: Timestamp,
) -> Option<ChangedSince> {
    let days = days.and_then(|item| item.whole().filter(|days| *days > 0).map(|days| (item, days)));
    match (since, days) {
        (None, None) => None,
        (Some(item), None) if item.text()? == "adaptive" => Some(ChangedSince::LastRun),
        (Some(item), None) => item.parsed(|text| parse_moment(text, now)).map(ChangedSince::At),
        (None, Some((item, days))) => {
            let back = i64::try_from(days).ok().and_then(|days| Span::new().try_days(days).ok());
            let since = back.and_then(|back| now.to_zoned(TimeZone::UTC).checked_sub(back).ok());
            if since.is_none() {
                item.complain("more days than there are");
            }
            since.map(|moment| ChangedSince::At(moment.timestamp()))
        }
        (Some(_since), Some((item, _days))) => {
            item.complain_with("`days` and `changed_since` exclude each other", "keep `changed_since`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_relative_to_now() {
        let now: Timestamp = "2024-05-31T10:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("2024-05-01", "2024-05-01T00:00:00Z"),
            ("2024-05-01 10:00:00", "2024-05-01T10:00:00Z"),
            ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"),
            ("@1714521600", "2024-05-01T00:00:00Z"),
            ("now", "2024-05-31T10:30:00Z"),
            ("today", "2024-05-31T00:00:00Z"),
            ("Yesterday", "2024-05-30T00:00:00Z"),
            ("-2 days", "2024-05-29T10:30:00Z"),
            ("-1 month", "2024-04-30T10:30:00Z"),
            ("-1 week 2 hours", "2024-05-24T08:30:00Z"),
            ("3 hours ago", "2024-05-31T07:30:00Z"),
            ("-10 minutes", "2024-05-31T10:20:00Z"),
        ] {
            assert_eq!(parse_moment(text, now).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for bad in ["", "soon", "2024-13-01", "-2", "2 bananas ago", "-99999999 years"] {
            assert_eq!(parse_moment(bad, now), Err(MomentError { text: bad.into() }), "{bad}");
        }
    }
}
